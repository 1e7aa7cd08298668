"""The law of loading: what a layout lets through can be sent, answered and taken back. Pure.

1. What the gateway fills (`vocabulary.FILLED`) no layout lays down: no `const`, `default`, `when` or group on it; nor
   on what a report says again.
2. What is the gateway's own (`filling.OwnRanges`) each telegram takes, all of it.
3. Of what a client asks for (`filling.ASKED`) a request takes something; it may take less than the gateway does.
4. What a request takes, all that follows from it takes: its report, the four cancel commands and their reports, and a
   cancel or refund 取消・返品 of it.

`rehearsal` then plays it through, telegram by telegram.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from schemas.telegrams.building import trouble
from schemas.telegrams.coding import ABSENT, Write, compile_element, compile_positional
from schemas.telegrams.fields import TYPES, FieldSpec
from schemas.telegrams.filling import ASKED, OwnRanges, Range, askable
from schemas.telegrams.roles import FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF, Family, Role
from schemas.telegrams.spec import PartnerSpec, Telegram
from schemas.telegrams.vocabulary import FILLED, MAY_FILL, Value

_FORM = ("type", "length", "encoding", "length_kind", "length_encoding", "min_length", "pad", "values", "values_closed")
_CONTRACTED = ("company_code", "station_id", "carried_code")  # what the contract says: of each line, `egress.config`
_CHOICES = ("terminal_id", "payment_method", "company_code", "station_id")
_TAKE_SOME = "take const away; where the partner takes some values only, list them, with `values_closed = true`"
_TRACES = ("trace_number", "original_trace_number")
_FOLLOW_UPS = (Role.CANCEL_REQUEST, Role.REFUND_REQUEST)
_ORIGINALS = (Role.AUTHORISATION_REQUEST, Role.SALE_REQUEST)


def _said_again() -> dict[Role, frozenset[str]]:
    found = {Role.ERROR_REPORT: FILLED[Role.FAULT_CONFIRM], Role.ENVELOPE_REPORT: FILLED[Role.ENVELOPE_REQUEST]}
    for request in (*ORDINARY_REQUESTS, *FAULT_COMMANDS):
        found[REPORT_OF[request]] = found.get(REPORT_OF[request], frozenset()) | FILLED[request]
    return found


# What a telegram of the partner's says again of the one it answers.
SAID_AGAIN: Mapping[Role, frozenset[str]] = MappingProxyType(_said_again())
# What of it must always be there, because egress holds it against the request.
_ALWAYS_SAID: Mapping[Role, frozenset[str]] = MappingProxyType(
    {REPORT_OF[request]: frozenset({"amount"}) for request in ORDINARY_REQUESTS}
    | {Role.ENVELOPE_REPORT: frozenset({"carried_code", "carried_telegram"})}
)


class Complaint(NamedTuple):
    """What is wrong with a field of a telegram. `keys`: those at fault; none: they are of the telegram's own file."""

    role: Role
    name: str
    keys: tuple[str, ...]
    problem: str
    remedy: str


class Taking:
    """Which values fields take. Fields of one form are asked once."""

    def __init__(self) -> None:
        self._writes: dict[object, Write] = {}
        self._troubles: dict[tuple[object, Value], str | None] = {}

    def trouble(self, field: FieldSpec, value: Value) -> str | None:
        """What the codec of a field that is there has against a value, or None."""
        form = _form_of(field)
        key = (form, value)
        if key not in self._troubles:
            write = self._writes.get(form)
            if write is None:
                write = self._writes[form] = writer_of(field)
            self._troubles[key] = trouble(write, value)
        return self._troubles[key]

    def asked(self, field: FieldSpec) -> list[Value]:
        """Values that a client may ask for and the field takes: some of each kind, the extremes among them."""
        listed = (each.value for each in field.values if askable(field.name, each.value))
        values = dict.fromkeys((*ASKED[field.name].values, *listed))
        return [value for value in values if self.trouble(field, value) is None]


def writer_of(field: FieldSpec) -> Write:
    """How a value is written where the field is there."""
    plain = msgspec.structs.replace(field, const=None, default=None, when=None)
    return (compile_positional if field.bit is None and not field.is_variable else compile_element)(plain).write


def _form_of(field: FieldSpec) -> object:
    """Fields of one form take the same values."""
    blank = field.blank if field.bit is None and not field.required else None
    closed = tuple(each.value for each in field.values) if field.values_closed else None
    kind = (field.type, field.length, field.encoding, field.length_kind, field.length_encoding)
    return (*kind, field.min_length, field.pad, blank, closed)


def unsendable(
    telegrams: Mapping[Role, Telegram], own: OwnRanges, match_fields: Mapping[Family, Collection[str]]
) -> Iterator[Complaint]:
    """What of one edition's telegrams breaks the law."""
    taking = Taking()
    for role, telegram in telegrams.items():
        filled = FILLED.get(role, frozenset()) | SAID_AGAIN.get(role, frozenset())
        for field in telegram.fields:
            if field.name in filled:
                complaints = [*_laid_down(role, field, own.of(role, field.name))]
                yield from complaints or _outside_own(taking, role, field, own)
            if field.name in MAY_FILL.get(role, ()):
                yield from _never_sent(taking, role, field, telegram)
            if role in ORDINARY_REQUESTS and field.name in ASKED and field.const is None:
                yield from _takes_nothing(taking, role, field)
    yield from _not_agreeing(taking, telegrams)
    yield from _not_named(telegrams)
    yield from _says_more(telegrams)
    yield from not_following(taking, telegrams, telegrams, match_fields)


def _laid_down(role: Role, field: FieldSpec, own: Range | None) -> Iterator[Complaint]:
    """1: what the gateway fills the layout lays down."""
    sent = role in FILLED
    who = "the gateway fills it" if sent else "it says again what the request said"
    only = own is not None and own.values == (field.const,)
    if field.const is not None and not only:
        remedy = _TAKE_SOME if sent and field.name in _CHOICES else "take const away"
        yield Complaint(role, field.name, ("const",), f"has a const, but {who}", remedy)
    if field.default is not None:
        yield Complaint(role, field.name, ("default",), f"has a default, but {who}, always", "take default away")
    always = sent or field.name in _ALWAYS_SAID.get(role, ())
    if always and field.group is not None:
        remedy = "put the field into the telegram itself"
        yield Complaint(role, field.name, (), f"stands in group {field.group}, but {who}, always", remedy)
    elif always and field.when is not None:
        yield Complaint(
            role, field.name, ("when",), f"depends on {field.when.field}, but {who}, always", "take when away"
        )
    elif always and not sent and not field.required:
        problem = "may be absent, but is held against the request"
        yield Complaint(role, field.name, ("required",), problem, "say `required = true`")


def _outside_own(taking: Taking, role: Role, field: FieldSpec, own: OwnRanges) -> Iterator[Complaint]:
    """2: of the gateway's own something does not fit."""
    its = own.of(role, field.name)
    if its is None or (field.name in _TRACES and field.length != own.trace_width):  # that is told of already
        return
    for value in its.values:
        problem = taking.trouble(field, value)
        if problem is not None:
            said = f"the gateway fills it with {its.words}, and {value} {_short(problem)}"
            yield Complaint(role, field.name, _keys(problem), said, _remedy(field, value, problem, its.remedy))
            return


def _takes_nothing(taking: Taking, role: Role, field: FieldSpec) -> Iterator[Complaint]:
    """3: nothing that a client may ask for fits."""
    if not taking.asked(field):
        asked = ASKED[field.name]
        problem = f"takes nothing that a client may ask for: {asked.words}"
        remedy = "list such values" if field.values_closed else asked.remedy
        yield Complaint(role, field.name, _FORM, problem, remedy)


def _never_sent(taking: Taking, role: Role, field: FieldSpec, telegram: Telegram) -> Iterator[Complaint]:
    """1: what a client may give never goes out: something else always does, or nothing anybody asks for brings it."""
    if field.const is not None:
        yield Complaint(role, field.name, ("const",), "has a const, but the gateway may fill it", "take const away")
    if field.when is None:
        return
    if field.name not in ASKED:  # whether a client may give it is told at the door; this one nobody asks for
        problem = f"depends on {field.when.field}, but the gateway fills it whenever it has a value"
        yield Complaint(role, field.name, ("when",), problem, "take when away")
        return
    decider = telegram.field(field.when.field)
    if decider.name in ASKED:
        wanted = (value for value in field.when.values if askable(decider.name, value))
        possible: list[Value | None] = [*taking.asked(decider), *wanted]
    elif decider.name in FILLED[role]:
        problem = f"depends on {decider.name}, which the gateway fills, so that the door cannot tell what fits"
        yield Complaint(role, field.name, ("when",), problem, "let it depend on what a client gives, or take when away")
        return
    else:
        possible = [decider.default]
    if not any(field.when.holds(value) for value in possible):
        problem = f"is never there: the gateway gives {decider.name} no value that brings it"
        yield Complaint(role, field.name, ("when",), problem, "correct when, or take the field away")


def _not_agreeing(taking: Taking, telegrams: Mapping[Role, Telegram]) -> Iterator[Complaint]:
    """4: what the contract says once, not all telegrams take."""
    for name in _CONTRACTED:
        first: tuple[Role, FieldSpec] | None = None
        for role, telegram in telegrams.items():
            field = find(telegram, name)
            if field is None or field.const is not None:
                continue
            if first is None:
                first = role, field
            problem = taking.trouble(field, first[1].sample)
            if problem is not None:
                said = f"the sample that {first[0].value} has for it {_short(problem)}"
                remedy = f"let it take all that it takes in {first[0].value}"
                yield Complaint(role, name, (), said, _remedy(field, first[1].sample, problem, remedy))


def _not_named(telegrams: Mapping[Role, Telegram]) -> Iterator[Complaint]:
    """4: by what a cancel names its original, the original does not say."""
    for name in ("business_date", "route_number"):
        naming = [role for role in (*FAULT_COMMANDS, *_FOLLOW_UPS) if find(telegrams[role], f"original_{name}")]
        for request in ORDINARY_REQUESTS:
            if naming and find(telegrams[request], name) is None:
                problem = f"a {naming[0].value} names a {request.value} by it, which does not carry it"
                yield Complaint(request, name, (), problem, "add it")


def _says_more(telegrams: Mapping[Role, Telegram]) -> Iterator[Complaint]:
    """1: a report must say again what its request does not say. The sending time may be the partner's own."""
    for request, report in REPORT_OF.items():
        asked = {field.name for field in telegrams[request].fields} | {"sent_time"}
        for field in telegrams[report].fields:
            if field.name in FILLED[request] - asked and field.always:
                problem = f"must say again what the {request.value} does not carry"
                remedy = f"add it to {request.value}.toml, or say `required = false`"
                yield Complaint(report, field.name, (), problem, remedy)


def contract_fault(partner: PartnerSpec, contract: Mapping[str, Value]) -> str | None:
    """The first field of any telegram that does not take what a line's contract says, by name; None: they all do."""
    taking = Taking()
    for role, telegram in partner.telegrams.items():
        for field in telegram.fields:
            value = contract.get(field.name)
            problem = None if value is None or field.const is not None else taking.trouble(field, value)
            if problem is not None:
                return f"{partner.name} telegram {role.value}, field {field.name}: {problem}"
    return None


# --- what follows ---------------------------------------------------------------------------------------------------


class _Step(NamedTuple):
    """What `name` in `source` takes, `target` must take in `field`."""

    source: Role
    name: str
    target: Role
    field: str


def _steps(match_fields: Mapping[Family, Collection[str]]) -> Iterator[_Step]:
    echoed = dict.fromkeys(("terminal_id", "amount", *match_fields[Family.ORDINARY]))
    for request in ORDINARY_REQUESTS:
        for name in (name for name in echoed if name in ASKED):
            yield _Step(request, name, REPORT_OF[request], name)
        for command in FAULT_COMMANDS:
            for target in (command, REPORT_OF[command]):
                yield _Step(request, "terminal_id", target, "terminal_id")
                yield _Step(request, "amount", target, "amount")
    for request in _ORIGINALS:
        for target in _FOLLOW_UPS:
            yield _Step(request, "amount", target, "original_amount")
            yield _Step(REPORT_OF[request], "approval_code", target, "original_approval_code")


def not_following(
    taking: Taking,
    older: Mapping[Role, Telegram],
    newer: Mapping[Role, Telegram],
    match_fields: Mapping[Family, Collection[str]],
) -> Iterator[Complaint]:
    """4: where what follows takes less than what it follows from. `older`: the edition of that, `newer` of this."""
    said: set[tuple[Role, str]] = set()
    same = older is newer
    for step in _steps(match_fields):
        source, target = find(older[step.source], step.name), find(newer[step.target], step.field)
        known = (step.target, step.field) in said
        if source is None or target is None or known or (not same and step.target in _READ_BY_ITS_DATE):
            continue
        values = taking.asked(source) if step.name in ASKED else [*_of_form(taking, source)]
        for value in values:
            problem = None if target.const is not None else taking.trouble(target, value)
            if problem is not None:
                said.add((step.target, step.field))
                edition = "" if same else " of an edition before"
                said_of = f"a value that {step.source.value}{edition} takes for {step.name} {_short(problem)}"
                remedy = f"let it take all that {step.name} takes there"
                yield Complaint(step.target, step.field, (), said_of, _remedy(target, value, problem, remedy))
                break


# The report of a request is of the edition of its request.
_READ_BY_ITS_DATE = frozenset(REPORT_OF[request] for request in ORDINARY_REQUESTS)


def _of_form(taking: Taking, field: FieldSpec) -> Iterator[Value]:
    """Values a field may have, whoever fills it: the shortest and the longest, of each kind of characters."""
    if field.values_closed:
        yield from (each.value for each in field.values)
        return
    alphabet = TYPES[field.type].alphabet
    for character in dict.fromkeys((*alphabet[:1], *"9AZaz-._ ", *alphabet[-1:])):
        for length in (field.least, field.length):
            value = f"{alphabet[:1]}{character * length}"[:length] if character == " " else character * length
            if taking.trouble(field, value) is None:
                yield value


def find(telegram: Telegram, name: str) -> FieldSpec | None:
    """The field of that name, if the telegram has one."""
    return next((field for field in telegram.fields if field.name == name), None)


def _short(problem: str) -> str:
    return ABSENT if problem.startswith(ABSENT) else problem


def _keys(problem: str) -> tuple[str, ...]:
    return ("required", "blank") if problem.startswith(ABSENT) else _FORM


def _remedy(field: FieldSpec, value: Value, problem: str, otherwise: str) -> str:
    if field.values_closed and field.meaning_of(value) is None:
        return "list it in values, or take values_closed away"
    return "say `required = true`" if problem.startswith(ABSENT) else otherwise
