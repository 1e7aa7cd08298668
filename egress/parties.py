"""Whose telegrams a line takes: its own partner's, and those it carries in envelopes of that one's (MC 回線). Pure.

Whoever's telegram it is, it has the line's trace number and route. By them the line's own partner can say of an
envelope that it was in error 異常報告, and so that what is inside was never passed on.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from egress.answers import Named, contradiction, named, named_in_error
from egress.flights import NOTHING, Flights
from egress.jobs import Job
from egress.numbers import Numbers
from egress.telegrams import Telegrams
from schemas.installation import Line
from schemas.telegrams import (
    FAMILY_OF,
    DecodeError,
    EncodeError,
    Family,
    MatchKey,
    Message,
    PartnerSpec,
    Role,
    Value,
)


class Unreadable(Exception):  # noqa: N818  it tells what came
    """What came is no telegram of any party. The text says why, and shows nothing that people may not see."""


@dataclass(frozen=True, slots=True)
class Party:
    """One whose telegrams the line takes: its layouts, what we make of them, and what it has not answered yet."""

    spec: PartnerSpec
    telegrams: Telegrams
    flights: Flights
    company_code: str
    code: str | None  # by which an envelope tells that it is for it; None: the line's own partner


class Came(NamedTuple):
    """A telegram of a party, and the envelope it came in, if it came in one."""

    party: Party
    message: Message
    envelope: Message | None = None


class Parties:
    """Those of one line."""

    def __init__(self, line: Line, partner: PartnerSpec, partners: Mapping[str, PartnerSpec]) -> None:
        def party(spec: PartnerSpec, company_code: str, code: str | None) -> Party:
            return Party(spec, Telegrams(company_code, line.station_id, spec), Flights(spec), company_code, code)

        self.own = party(partner, line.company_code, None)
        inside: dict[str | None, Party] = {
            each.partner: party(partners[each.partner], each.company_code, each.code) for each in line.carries
        }
        self._by_name: Mapping[str | None, Party] = {None: self.own, line.partner: self.own, **inside}
        self._by_code: Mapping[Value, Party] = {each.code: each for each in inside.values() if each.code is not None}
        self._enveloped: dict[MatchKey, Job] = {}

    def of(self, job: Job) -> Party | None:
        """Whose telegram it is; None: of one whom the line does not carry, or no more."""
        return self._by_name.get(job.partner)

    # --- to the partner

    def make(self, job: Job, values: Mapping[str, Value], now_ms: int) -> None:
        """Give the job its bytes, and by what its answer finds it. Raises `EncodeError`, `ValueError`."""
        party = self.of(job)
        assert party is not None
        assert job.numbers is not None
        data, job.named = named(party.spec, job.role, values)
        if party.code is not None:
            around = self.own.telegrams.envelope(party.code, data, job.numbers, now_ms)
            data, job.envelope_named = named(self.own.spec, Role.ENVELOPE_REQUEST, around)
            job.envelope_match = self.own.spec.error_key(around)
        job.data = self.own.spec.framing.wrap(data)
        job.match = party.spec.match_key(job.role, values)
        job.error_match = party.spec.error_key(values)

    def inherit(self, job: Job, numbers: Numbers, now_ms: int) -> None:
        """The last owner has put it on the line. Of a request the header is known, of a cancel all that it names."""
        party = self.of(job)
        if party is None:
            return
        header = numbers._asdict()
        job.named = Named({**header, "company_code": party.company_code})
        job.error_match = party.spec.error_key(job.named.given)
        if party.code is not None:
            envelope = {**header, "company_code": self.own.company_code, "carried_code": party.code}
            job.envelope_named = Named(envelope)
            job.envelope_match = self.own.spec.error_key(envelope)
        if job.original is not None:
            values = party.telegrams.command(job.role, job.original, numbers, now_ms)
            with contextlib.suppress(EncodeError, ValueError):  # by other layouts than the former owner's
                _, job.named = named(party.spec, job.role, values)
                job.match = party.spec.match_key(job.role, values)
        self.add(job)

    # --- on the line

    def add(self, job: Job) -> None:
        """It is on the line from now on."""
        if (party := self.of(job)) is None:
            return
        party.flights.add(job)
        if job.envelope_match is not None:
            self._enveloped[job.envelope_match] = job

    def remove(self, job: Job) -> None:
        """Nothing more is to come."""
        if (party := self.of(job)) is None:
            return
        party.flights.remove(job)
        if job.envelope_match is not None and self._enveloped.get(job.envelope_match) is job:
            del self._enveloped[job.envelope_match]

    # --- from the partner

    def read(self, payload: bytes) -> Came:
        """A telegram, out of its envelope if it came in one, and whose it is. Raises `Unreadable`."""
        own = self.own
        message = _decoded(own.spec, payload)
        if message.role is not Role.ENVELOPE_REPORT:
            return Came(own, message)
        party = self._by_code.get(message.values["carried_code"])
        if party is None:
            raise Unreadable(f"in an envelope of nobody whose telegrams are carried\n{_described(own.spec, message)}")
        inside = _decoded(party.spec, bytes.fromhex(str(message.values["carried_telegram"])), "in an envelope: ")
        if FAMILY_OF.get(inside.role, Family.STATION) is Family.STATION:
            raise Unreadable(f"in an envelope, where nothing about a line belongs\n{_described(party.spec, inside)}")
        return Came(party, inside, message)

    def answered(self, came: Came, now_ms: int) -> Job | str:
        """What this telegram plainly answers, or why it answers nothing."""
        party, message, envelope = came
        if envelope is None and message.role is Role.ERROR_REPORT:
            enveloped = self._enveloped.get(party.spec.match_key(message.role, message.values))
            if enveloped is not None:
                ours = named_in_error(party.spec, Role.ENVELOPE_REQUEST, enveloped.envelope_named)
                return party.flights.plainly(enveloped, message, ours, now_ms)
        found = party.flights.answered(message, now_ms)
        if envelope is None or isinstance(found, str):
            return found
        field = contradiction(envelope.values, found.envelope_named, now_ms)
        if field is None:
            return found
        return f"{NOTHING}: the envelope of {found.role} {found.named.given['trace_number']} has another {field}"


def _described(spec: PartnerSpec, message: Message) -> str:
    return spec.dated(message.values).describe(message)


def _decoded(spec: PartnerSpec, payload: bytes, where: str = "") -> Message:
    try:
        return spec.read(payload)
    except DecodeError as error:
        raise Unreadable(f"{where}{error} ({len(payload)} bytes)") from None
