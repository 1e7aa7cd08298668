"""Plays at load what a line lives through, by the layouts alone: each telegram written, read, answered and taken back.

Of each kind of request with the least, the greatest and a middle value under each name: it is written and read again;
its report, which says it again, answers it; an error report 異常報告 about it finds it; each of the four
cancel commands, of this edition and of every later one, names it and is answered in turn. `sendable` says of each field
by itself what is wrong with it; this sees that the telegrams work together. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from schemas.records import Outcome
from schemas.telegrams.errors import DecodeError, EncodeError
from schemas.telegrams.filling import ASKED, OwnRanges
from schemas.telegrams.roles import FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF, STATION_REQUESTS, Role
from schemas.telegrams.sendable import Taking
from schemas.telegrams.spec import MatchKey, PartnerSpec
from schemas.telegrams.vocabulary import FILLED, MAY_FILL, Value

_TIMES = 3  # each kind is played: with the least values, the greatest, and some between
_NUMBERS = ("trace_number", "route_number", "business_date")


class Failure(NamedTuple):
    """A telegram that did not work: its edition, what happened to it in which field, if it is one."""

    spec: PartnerSpec
    role: Role
    field: str | None
    problem: str


class _Fails(Exception):  # noqa: N818  it tells what happened
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


def rehearse(specs: Sequence[PartnerSpec]) -> Iterator[Failure]:
    """What of these editions, which know one another, did not work: of each telegram one failure."""
    failed: set[tuple[str | None, Role]] = set()
    actors = [_Actor(spec, day) for spec, day in zip(specs, _days(specs), strict=True)]
    for number, actor in enumerate(actors):
        for failure in _acted(actor, actors[number:]):
            key = (failure.spec.since, failure.role)
            if key not in failed:
                failed.add(key)
                yield failure


def _days(specs: Sequence[PartnerSpec]) -> Iterator[str]:
    """A business date of each edition."""
    for number, spec in enumerate(specs):
        if spec.since is not None:
            yield spec.since
        elif number + 1 < len(specs) and (following := specs[number + 1].since) is not None:
            yield f"{datetime.strptime(following, '%Y%m%d') - timedelta(days=1):%Y%m%d}"  # noqa: DTZ007  a date alone
        else:
            yield "20261231"


def _acted(actor: "_Actor", later: Sequence["_Actor"]) -> Iterator[Failure]:
    for time in range(_TIMES):
        for role in (*ORDINARY_REQUESTS, *STATION_REQUESTS):
            try:
                request = actor.asks(role, time)
                actor.is_answered(role, request)
            except _Fails as fails:
                yield fails.failure
                continue
            for other in later if role in ORDINARY_REQUESTS else ():
                for command in FAULT_COMMANDS:
                    try:
                        other.is_answered(command, other.takes_back(command, time, actor, role, request))
                    except _Fails as fails:
                        yield fails.failure
        if Role.ENVELOPE_REQUEST in actor.spec.telegrams:
            try:
                actor.carries(time)
            except _Fails as fails:
                yield fails.failure


class _Actor:
    """The gateway and a partner of one edition."""

    def __init__(self, spec: PartnerSpec, day: str) -> None:
        self.spec = spec
        self._day = day
        self._taking = Taking()
        codes = {role: telegram.type_code for role, telegram in spec.telegrams.items()}
        self._own = OwnRanges(spec.trace_width, spec.trace_range, spec.route_range, codes)

    def asks(self, role: Role, time: int) -> Mapping[str, Value]:
        """What the gateway sends for a client, or about the line; written and read again."""
        return self._written(role, self._filled(role, time, {}))

    def takes_back(
        self, command: Role, time: int, before: "_Actor", role: Role, request: Mapping[str, Value]
    ) -> Mapping[str, Value]:
        """The cancel command about a request of an edition before, or of this one; written and read again."""
        given: dict[str, Value] = {"original_type_code": before.spec.type_code(role)}
        given |= {f"original_{name}": request[name] for name in _NUMBERS if name in request}
        given |= {name: request[name] for name in ("terminal_id", "amount")}
        return self._written(command, self._filled(command, time, given))

    def carries(self, time: int) -> None:
        """An envelope, there and back."""
        sent = self._written(Role.ENVELOPE_REQUEST, self._filled(Role.ENVELOPE_REQUEST, time, {}))
        came = self._said_again(Role.ENVELOPE_REPORT, sent)
        for name in ("carried_code", "carried_telegram"):
            if came.get(name) != sent[name]:
                raise self._fails(Role.ENVELOPE_REPORT, name, "is not what the envelope_request had")
        self._error_report(Role.ENVELOPE_REQUEST, sent)

    def is_answered(self, role: Role, request: Mapping[str, Value]) -> None:
        """A report answers it, and so does an error report."""
        report = REPORT_OF[role]
        answer = self._said_again(report, request)
        if self._key(report, answer) != self._key(role, request):
            raise self._fails(report, None, f"does not find the {role.value} that it answers, by [match]")
        if role in ORDINARY_REQUESTS and answer.get("amount") != request["amount"]:
            raise self._fails(report, "amount", f"is not that of the {role.value} it answers")
        self._error_report(role, request)

    def _error_report(self, role: Role, request: Mapping[str, Value]) -> None:
        error = self._said_again(Role.ERROR_REPORT, request)
        try:
            found = self.spec.error_key(request) == self.spec.error_key(error)
        except KeyError:
            found = False
        if not found:
            raise self._fails(Role.ERROR_REPORT, None, f"does not find the {role.value} it is about, by [match]")

    # --- values

    def _filled(self, role: Role, time: int, given: Mapping[str, Value]) -> dict[str, Value]:
        """What the gateway has for a telegram: what is `given`, and of the rest the least, the greatest, or another."""
        telegram = self.spec.telegrams[role]
        values: dict[str, Value] = {}
        for name in sorted((FILLED[role] | MAY_FILL.get(role, frozenset())) & telegram.names):
            field = telegram.field(name)
            own = self._own.of(role, name)
            if name in given:
                values[name] = given[name]
            elif name == "business_date":
                values[name] = self._day
            elif name in ASKED:
                values[name] = _one_of(self._taking.asked(field), time)
            elif own is not None:
                values[name] = _one_of(own.values, time)
            elif name == "result_code":
                values[name] = self.spec.result_code_for(Outcome.APPROVED)
            else:
                values[name] = field.sample
        return telegram.fitting(values)

    def _said_again(self, role: Role, request: Mapping[str, Value]) -> Mapping[str, Value]:
        """What a partner's telegram says, written and read again: what the request said, else the samples."""
        telegram = self.spec.telegrams[role]
        values = {field.name: field.sample for field in telegram.fields if field.const is None}
        return self._written(role, telegram.fitting({**values, **request}))

    # --- bytes

    def _written(self, role: Role, values: Mapping[str, Value]) -> Mapping[str, Value]:
        try:
            message = self.spec.read(self.spec.encode(role, values))
        except EncodeError as error:
            raise self._fails(error.role or role, error.field, f"cannot be written: {error.problem}") from None
        except DecodeError as error:
            raise self._fails(role, error.field, f"cannot be read again: {error.problem}") from None
        if message.role is not role:
            raise self._fails(role, None, f"is taken for {message.role.value} when it is read again")
        for name, value in values.items():
            if message.values.get(name) != value:
                raise self._fails(role, name, "is another when it is read again")
        return message.values

    def _key(self, role: Role, values: Mapping[str, Value]) -> MatchKey | None:
        try:
            return self.spec.match_key(role, values)
        except KeyError as missing:
            raise self._fails(role, str(missing.args[0]), "is absent, and is matched by") from None

    def _fails(self, role: Role, field: str | None, problem: str) -> _Fails:
        return _Fails(Failure(self.spec, role, field, problem))


def _one_of(values: Sequence[Value], time: int) -> Value:
    return values[(0, len(values) - 1, len(values) // 2)[time]]
