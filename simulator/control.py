"""Commands to a running centre, from another process: line-wise JSON over TCP.

with Control("127.0.0.1", 7310) as control:
    control.behave(role="sale_request", amount=4000, do="silent")
    …
    control.wait_for(lambda: control.ledger(reference="A1", cancelled=True))
    control.violations()
"""

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

T = TypeVar("T")
_STEP_S = 0.01


class ControlError(Exception):
    """The centre did not take a command, or cannot be reached."""


class NoCentreError(ControlError):
    """Nobody takes commands there."""


class Control:
    """One connection to a centre's control port; threads may share it. Every method raises `ControlError`.

    `partner`: whose books and rules, where the centre also answers for a partner whose telegrams its lines carry.
    """

    def __init__(self, host: str, port: int, timeout_s: float = 10.0, *, partner: str | None = None) -> None:
        self._whose = {} if partner is None else {"partner": partner}
        try:
            self._socket = socket.create_connection((host, port), timeout_s)
        except OSError as error:
            raise NoCentreError(f"no centre takes commands at {host}:{port}: {error.strerror or error}") from error
        self._file = self._socket.makefile("rb")
        self._lock = threading.Lock()

    # --- what it knows

    def ping(self) -> dict[str, Any]:
        """The partner's name, the ports it listens on, the stations that are open."""
        answer: dict[str, Any] = self._ask("ping")
        return answer

    def ledger(self, last: int | None = None, **wanted: Any) -> list[dict[str, Any]]:
        """The entries in which these fields have these values: those of `Ledger.rows`.

        `last`: of so many, the newest.
        """
        answer: list[dict[str, Any]] = self._ask("ledger", last=last)
        return _those(answer, wanted)

    def balance(self) -> int:
        """The merchants' claim in the centre's books, in yen."""
        return int(self._ask("balance"))

    def violations(self) -> list[dict[str, Any]]:
        """The broken rules: broken, station, text."""
        answer: list[dict[str, Any]] = self._ask("violations")
        return answer

    def suspicions(self) -> list[dict[str, Any]]:
        """What looks wrong and may be right: odd, station, text."""
        answer: list[dict[str, Any]] = self._ask("suspicions")
        return answer

    def counters(self) -> dict[str, int]:
        """Telegrams that passed, by role; those the centre itself has begun, and their answers, with own_ before it."""
        answer: dict[str, int] = self._ask("counters")
        return answer

    def keepalive_times(self) -> list[dict[str, Any]]:
        """The keep-alives of the centre's own that were answered, in order: station, ms from sending to answer."""
        answer: list[dict[str, Any]] = self._ask("keepalive_times")
        return answer

    def story(self, since: int = 0, **wanted: Any) -> list[dict[str, Any]]:
        """The telegrams that passed, in order, in which these fields of `Told` have these values."""
        answer: list[dict[str, Any]] = self._ask("story", since=since)
        return _those(answer, wanted)

    def rules(self) -> list[dict[str, Any]]:
        """The rules in force, in the order in which they are tried."""
        answer: list[dict[str, Any]] = self._ask("rules")
        return answer

    def telegrams(self, last: int = 100) -> list[dict[str, Any]]:
        """The last telegrams that passed, the newest first."""
        answer: list[dict[str, Any]] = self._ask("telegrams", last=last)
        return answer

    def state(self) -> dict[str, Any]:
        """What goes on: scenario, lines, rules with their hits, load, counts (`simulator.states.State`)."""
        answer: dict[str, Any] = self._ask("state")
        return answer

    def scenarios(self) -> list[dict[str, str]]:
        """The scenarios that can be used by name: name, japanese, english."""
        answer: list[dict[str, str]] = self._ask("scenarios")
        return answer

    def record(self, name: str = "recorded") -> str:
        """What happened since the scenario began, as the text of a scenario file."""
        return str(self._ask("record", name=name))

    def wait_for(self, found: Callable[[], T], limit_s: float = 10.0) -> T:
        """Ask until something is found (is true); gives it. Raises `ControlError` when that takes longer."""
        until = time.monotonic() + limit_s
        while not (answer := found()):
            if time.monotonic() > until:
                raise ControlError(f"not seen within {limit_s:g} s")
            time.sleep(_STEP_S)
        return answer

    # --- what it shall do

    def behave(self, **rule: Any) -> None:
        """Put a rule before all others; its form is told in `simulator.rules`."""
        self._ask("behave", rule=rule)

    def clear(self) -> None:
        """Have no rules any more."""
        self._ask("clear")

    def use(self, scenario: str | dict[str, Any]) -> None:
        """Behave as another scenario says from now on: one by name, or a whole one."""
        self._ask("use", scenario=scenario)

    def happen(self, do: str, station: str | None = None) -> int:
        """Have an event happen at once (`simulator.timeline`); gives how many lines it was about."""
        event = {"do": do} if station is None else {"do": do, "station": station}
        return int(self._ask("event", event=event))

    def drop_lines(self, station: str | None = None) -> None:
        """Break every connection, or those of one station."""
        self._ask("drop_lines", station=station)

    def refuse_opening(self, refuse: bool) -> None:
        """Refuse every opening from now on, or no more."""
        self._ask("refuse_opening", refuse=refuse)

    def stop_listening(self) -> None:
        """Take no new connections, and call nobody; those there are go on."""
        self._ask("stop_listening")

    def listen_again(self) -> None:
        """Take new connections, on the same ports, and call again."""
        self._ask("listen_again")

    def keepalive(self) -> int:
        """Send a keep-alive on every open line; gives their number."""
        return int(self._ask("keepalive"))

    def close_stations(self) -> int:
        """Ask to close every open line, and hang up when that is answered; gives their number."""
        return int(self._ask("close_stations"))

    def call_again(self, port: int) -> int:
        """Call the line of this port once more; gives how many connections it has already."""
        return int(self._ask("call_again", port=port))

    # --- the connection

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, what: str, **more: Any) -> Any:
        try:
            with self._lock:
                self._socket.sendall(msgspec.json.encode({"do": what, **self._whose, **more}) + b"\n")
                line = self._file.readline()
        except (OSError, ValueError) as error:  # ValueError: it was closed here
            raise ControlError(f"{what}: the centre does not answer: {error}") from error
        if not line:
            raise ControlError(f"{what}: the centre has gone")
        answer = msgspec.json.decode(line, type=dict[str, Any])
        if "error" in answer:
            raise ControlError(f"{what}: {answer['error']}")
        return answer["ok"]


def _those(rows: list[dict[str, Any]], wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]
