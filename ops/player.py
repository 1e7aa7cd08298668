"""Plays courses: sets the centre's behaviour, is the client, and compares what passed with what was expected."""

import itertools
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from acceptance.words import code_for
from client import Card, ClientError, OutcomeUnknown, RequestRefused, Result, SyncClient
from ops.courses import ANSWER_AFTER_MS, Ask, Course, Manner
from schemas.client_frames import VERSION, ClientFrame, Hello, Request, frame
from schemas.records import Kind
from schemas.telegrams import REPORT_OF, STATION_REQUESTS, PartnerSpec, Role
from simulator.control import Control

CARD = Card(number="4111111111111111", expiry="2812")
TERMINAL = "4980000000001"
SECURITY_CODE = "737"
_STATION_ROLES = {*STATION_REQUESTS, *(REPORT_OF[role] for role in STATION_REQUESTS)}
_UNDER_WAY = ("being_cancelled", "in_process")
_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one caller was told, and what an inquiry told at last."""

    reference: str
    at_once: str | None
    at_last: str


@dataclass(frozen=True, slots=True)
class Wrote:
    """What the client wrote down about one request. `told` None: it was gone before it was told."""

    reference: str
    original: str | None
    kind: Kind
    amount: int
    told: str | None


@dataclass(slots=True)
class Played:
    """A course as it was: telegrams as (arrow, role), what clients were told, how the books moved (in amounts)."""

    course: Course
    amount: int
    seen: list[tuple[str, Role]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    stands: float = 0
    problems: list[str] = field(default_factory=list)

    @property
    def as_expected(self) -> bool:
        return not self.problems


class Player:
    """One customer of one partner. `lines` is how many lines the partner's centre has when all is well."""

    def __init__(
        self, partner: PartnerSpec, control: Control, door: tuple[str, int], customer: str, token: str, lines: int
    ) -> None:
        self._partner = partner
        self._control = control
        self._door = door
        self._customer = customer
        self._token = token
        self._lines = lines
        self._played = 0
        self._client = SyncClient(door, customer=customer, token=token)
        self.wrote: list[Wrote] = []

    def close(self) -> None:
        """End the session."""
        self._client.close(5)

    def play(self, course: Course, amount: int | None = None) -> Played:
        """Play one course and judge it; with another amount each time where none is given."""
        self._played += 1
        played = Played(course, 1_000 * self._played if amount is None else amount)
        self._control.clear()
        for each in course.rules:
            self._control.behave(**self._fitted(each), amount=played.amount)
        if course.lines_closed:
            self._close_lines(played)
        since = 1 + max((row["number"] for row in self._control.story()), default=0)
        books = self._control.balance()
        strangers: list[Stranger] = []
        for number, ask in enumerate(course.asks):
            self._ask(played, ask, number, strangers)
        self._await_telegrams(since, len(course.expected))
        for number, told in enumerate(played.told):
            ask = course.asks[number]
            original = self._reference(played, ask.follows) if ask.follows else None
            at_last = end_of(self._client, told.reference, original)
            played.told[number] = Told(told.reference, told.at_once, at_last)
            self.wrote.append(Wrote(told.reference, original, ask.kind, played.amount, at_last))
        for stranger in strangers:
            stranger.close()
        played.seen = self._seen(since)
        played.stands = (self._control.balance() - books) / played.amount
        self._control.clear()
        self._open_lines(played)
        _judge(played)
        return played

    # --- the client

    def _reference(self, played: Played, name: str) -> str:
        return f"{played.course.name}-{name}"

    def _ask(self, played: Played, ask: Ask, number: int, strangers: list["Stranger"]) -> None:
        reference = self._reference(played, ask.name)
        request: dict[str, Any] = {
            "reference": reference,
            "kind": str(ask.kind),
            "terminal_id": TERMINAL,
            "amount": played.amount + ask.more,
            "card": CARD,
            "payment_method": "10",
            "original_reference": self._reference(played, ask.follows) if ask.follows else None,
            "security_code": SECURITY_CODE if number == 0 and ask.follows is None else None,
        }
        told: str | None = None
        if ask.manner is Manner.WAITS:
            told = told_by(self._client, request)
        else:
            stranger = Stranger(self._door, self._customer, self._token)
            stranger.ask(request)
            if ask.manner is Manner.VANISHES:
                stranger.close()
            else:
                strangers.append(stranger)
        played.told.append(Told(reference, told, ""))
        self.wrote.append(Wrote(reference, request["original_reference"], ask.kind, request["amount"], told))

    # --- the centre

    def _fitted(self, rule: Any) -> dict[str, Any]:
        """The rule with this partner's own code for one of CAFIS's."""
        code = {"code": code_for(self._partner, rule["code"])} if "code" in rule else {}
        return {**rule, **code}

    def _seen(self, since: int) -> list[tuple[str, Role]]:
        rows = self._control.story(since)
        return [(row["way"], role) for row in rows if (role := Role(row["role"])) not in _STATION_ROLES]

    def _await_telegrams(self, since: int, count: int) -> None:
        until = time.monotonic() + _LIMIT_S
        while len(self._seen(since)) < count and time.monotonic() < until:
            time.sleep(0.02)

    def _close_lines(self, played: Played) -> None:
        """Have the centre refuse to open, until a request is told that no line is open."""
        self._control.refuse_opening(True)
        self._control.drop_lines()
        if not self._tried(played, "closed", lambda told: told == played.course.asks[0].told):
            played.problems.append("the lines did not close")

    def _open_lines(self, played: Played) -> None:
        self._control.refuse_opening(False)
        until = time.monotonic() + _LIMIT_S
        while len(self._control.ping()["open"]) < self._lines:
            if time.monotonic() > until:
                raise TimeoutError(f"the lines of {self._partner.name} did not open again: see the logs")
            time.sleep(0.02)
        # The centre sees it first; the next course needs the router to know.
        if played.course.lines_closed and not self._tried(played, "open", lambda told: told == "approved"):
            played.problems.append("the lines did not open again")

    def _tried(self, played: Played, name: str, found: Callable[[str], bool]) -> bool:
        """Ask for authorisations until one is told what is wanted; whether one was."""
        until = time.monotonic() + _LIMIT_S
        for number in itertools.count(1):
            reference = f"{played.course.name}-{name}-{number}"
            told = told_by(self._client, {
                "reference": reference, "kind": str(Kind.AUTHORISATION), "terminal_id": TERMINAL,
                "amount": played.amount, "card": CARD,
            })  # fmt: skip
            self.wrote.append(Wrote(reference, None, Kind.AUTHORISATION, played.amount, told))
            if found(told):
                return True
            if time.monotonic() > until:
                break
        return False


class Stranger:
    """A client that keeps to the protocol's frames, but not to its manners."""

    def __init__(self, door: tuple[str, int], customer: str, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection(door, 5)
        try:
            if tls is not None:
                self._socket = tls.wrap_socket(self._socket, server_hostname=door[0])
            self._send(Hello(version=VERSION, customer=customer, token=token, client="stranger/1"))
            self._socket.recv(4_096)
        except OSError:
            self._socket.close()
            raise

    def ask(self, request: dict[str, Any], wait_ms: int = 10_000) -> None:
        """Send a request and await nothing."""
        self._send(Request(**request, wait_ms=wait_ms))

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, message: ClientFrame) -> None:
        self._socket.sendall(frame(message))


def worded(result: Result) -> str:
    """A result in a word or two."""
    return f"refused: {result.refusal.code}" if result.refusal is not None else str(result.status)


def told_by(client: SyncClient, request: dict[str, Any]) -> str:
    """What the caller of one payment is told, errors included."""
    try:
        return worded(client.pay(**request))
    except RequestRefused as error:
        return f"rejected: {error.code}"
    except ClientError as error:
        return f"error: {type(error).__name__}"


def end_of(client: SyncClient, reference: str, original: str | None, limit_s: float = _LIMIT_S) -> str:
    """What an inquiry tells once nothing is under way any more; ``no end`` when that takes longer."""
    until = time.monotonic() + limit_s
    while True:
        with suppress(OutcomeUnknown):
            found = worded(client.inquire(reference, original_reference=original, wait_ms=5_000))
            if found not in _UNDER_WAY:
                return found
        if time.monotonic() > until:
            return "no end"
        time.sleep(0.05)


def shown(telegrams: Sequence[tuple[str, Role]], partner: PartnerSpec) -> list[str]:
    """Telegrams as lines of text: arrow, type code, Japanese name."""
    return [f"{arrow} {partner.type_code(role)} {partner.telegrams[role].japanese}" for arrow, role in telegrams]


def _judge(played: Played) -> None:
    course = played.course
    if played.seen != course.expected:
        played.problems.append("other telegrams than expected")
    for ask, told in zip(course.asks, played.told, strict=True):
        if told.at_once != ask.told:
            played.problems.append(f"{told.reference}: told {told.at_once}, expected {ask.told}")
        if told.at_last != ask.ends:
            played.problems.append(f"{told.reference}: ended {told.at_last}, expected {ask.ends}")
    if played.stands != course.stands:
        played.problems.append(f"the partner's books moved by {played.stands:g} amounts, expected {course.stands}")


assert ANSWER_AFTER_MS < 800  # the demonstration's report time-out (ops.installations.QUICK)
