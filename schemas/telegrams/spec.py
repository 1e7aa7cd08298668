"""A partner's telegrams, ready for use: encode, decode, match a report to its request, tell what it says.

Nothing here knows a partner: everything comes from the files `schemas.telegrams.loader` reads.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.records import Outcome
from schemas.telegrams.conditions import Rule
from schemas.telegrams.errors import DecodeError, EncodeError
from schemas.telegrams.fields import FieldSpec, ListedValue
from schemas.telegrams.framing import Framing
from schemas.telegrams.generating import QuickRead, QuickWrite
from schemas.telegrams.grouped import Group
from schemas.telegrams.masking import masked_by, masked_plainly
from schemas.telegrams.plans import FieldFault, Part, Plan, Values
from schemas.telegrams.roles import FAMILY_OF, REPORT_OF, Family, Role
from schemas.telegrams.vocabulary import VOCABULARY, Sensitivity, Value

MatchKey = tuple[Value, ...]


class ErrorClass(StrEnum):
    """What an error code means for what happens next."""

    DESTINATION_TROUBLE = "destination_trouble"  # the far end could not be reached: repeat later (C13, C14, C50)
    TELEGRAM_ERROR = "telegram_error"  # the telegram itself was wrong: repeating does not help (異常報告)


class ResultCode(NamedTuple):
    """A result code of a partner, and what it says about the request."""

    code: str
    outcome: Outcome
    japanese: str
    english: str
    fault_cancel: bool = False  # stands in answers to fault cancels 8950, 8960 alone


class ErrorCode(NamedTuple):
    """An error code of a partner, and its class."""

    code: str
    error_class: ErrorClass
    japanese: str
    english: str
    may_be_done: bool = False  # it leaves open whether what was asked for was done all the same


class Message(msgspec.Struct, frozen=True):
    """A decoded telegram. `repr` shows the card number masked and no other card data."""

    role: Role
    values: dict[str, Value]

    def __repr__(self) -> str:
        return f"Message({self.role.value}, {masked_plainly(self.values)})"


class Telegram(msgspec.Struct, frozen=True, kw_only=True):
    """One telegram of a partner."""

    role: Role
    japanese: str
    english: str
    type_code: str
    meaning: str
    fields: tuple[FieldSpec, ...]  # header first; in a bitmap layout the bitmap stands between header and the rest
    groups: tuple[Group, ...]  # after the fields at fixed places; their fields are among `fields`, once for each time
    rules: tuple[Rule, ...]  # which fields are there only if another one says so
    names: frozenset[str]  # what `encode` takes
    required: frozenset[str]  # what `encode` needs
    size: int  # bytes, the greatest possible
    japanese_meaning: str | None  # for documents that are Japanese first
    told_apart_by: str | None  # the constant that tells it from others of the same type code
    plan: Plan  # the law: strict, and says what is wrong
    write: QuickWrite  # as the plan, for what is as it should be; None of anything else
    read: QuickRead
    since: str | None  # the business date ``YYYYMMDD`` its edition holds from; None: it is the first

    def __repr__(self) -> str:
        return f"Telegram({self.role.value}, {self.type_code})"

    def field(self, name: str) -> FieldSpec:
        """The field of that name. Raises `KeyError`."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def sample(self, *, optional: bool = True) -> dict[str, Value]:
        """The samples of the layout files as values that make a valid telegram; without optional ones on request.

        What another field's sample says is not there is left out, and the business date is one of its edition.
        """
        values = {
            field.name: field.sample
            for field in self.fields
            if field.const is None and (optional or (field.required and field.default is None))
        }
        values = self.fitting(values)
        if self.since is not None and str(values.get("business_date", self.since)) < self.since:
            values["business_date"] = self.since
        return values

    def fitting(self, values: Values) -> dict[str, Value]:
        """Those of the values it has a field for, without what another field says is not there."""
        fitting = {name: value for name, value in values.items() if name in self.names}
        for rule in self.rules:
            if not rule.holds(fitting):
                fitting.pop(rule.field.name, None)
        return fitting


class Candidates(NamedTuple):
    """Telegrams that share a type code: `find` gets the bytes of the constant that tells them apart, and its place."""

    find: Callable[[bytes], tuple[bytes, int]]
    field: str
    by_constant: Mapping[bytes, Telegram]


class Editions:
    """The editions 版 of a partner's layouts, the oldest first. Each knows the others by it."""

    def __init__(self) -> None:
        self._specs: tuple[PartnerSpec, ...] = ()
        self._dates: list[str] = []  # from which each but the first holds

    def hold(self, specs: Sequence["PartnerSpec"]) -> None:
        """These they are; the first holds until the second's date."""
        self._specs = tuple(specs)
        self._dates = [spec.since or "" for spec in specs[1:]]

    def __iter__(self) -> Iterator["PartnerSpec"]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def on(self, business_date: str) -> "PartnerSpec":
        """The one that holds on a business date ``YYYYMMDD``."""
        return self._specs[bisect_right(self._dates, business_date)]


class PartnerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All a service has to know about a partner's telegrams, in one edition of the layouts; the others by `on`."""

    name: str
    japanese: str
    english: str
    note: str
    framing: Framing
    trace_width: int  # digits of a trace number 処理通番
    trace_range: tuple[int, int]  # first and last, both usable
    route_range: tuple[int, int]  # first and last route number 経路番号 of a line
    telegrams: Mapping[Role, Telegram]
    result_field: str
    result_codes: Mapping[str, ResultCode]
    unknown_result: ResultCode  # of a code that is not in `result_codes`; its own code is empty
    error_codes: Mapping[str, ErrorCode]
    unknown_error: ErrorCode
    match_fields: Mapping[Family, tuple[str, ...]]
    type_code_at: slice
    selector: Mapping[bytes, Telegram | Candidates]
    likely: Mapping[bytes, tuple[Telegram, ...]]  # by the bytes of their type code
    keys: Mapping[Role, Callable[[Values], MatchKey]]
    sensitivities: Mapping[str, Sensitivity]
    since: str | None  # the business date ``YYYYMMDD`` this edition holds from; None: it is the first
    editions: Editions

    def __repr__(self) -> str:
        return f"PartnerSpec({self.name})" if self.since is None else f"PartnerSpec({self.name}, from {self.since})"

    # --- editions ---------------------------------------------------------------------------------------------------

    def on(self, business_date: str) -> "PartnerSpec":
        """The edition that holds on a business date ``YYYYMMDD``."""
        return self if len(self.editions) < 2 else self.editions.on(business_date)

    def dated(self, values: Values) -> "PartnerSpec":
        """The edition a telegram of these values is of: that of the business date it carries."""
        date = values.get("business_date")
        return self.on(date) if isinstance(date, str) else self

    def read(self, data: bytes) -> Message:
        """As `decode`, by that edition which holds on the business date the telegram itself carries.

        So both sides change over at midnight without a word, and what is under way then is read as it was written.
        Raises `DecodeError`: that of the edition that could read the most of it.
        """
        if len(self.editions) < 2:
            return self.decode(data)
        nearest: DecodeError | None = None
        strange = False
        for spec in reversed(tuple(self.editions)):
            try:
                message = spec.decode(data)
            except DecodeError as error:
                if nearest is None or (error.offset or 0) > (nearest.offset or 0):
                    nearest = error
                continue
            if self.dated(message.values) is spec:
                return message
            strange = True
        if strange or nearest is None:
            problem = "is of a day on which another edition of the layouts holds"
            nearest = DecodeError(self.name, None, "business_date", None, problem)
        raise nearest

    def type_code(self, role: Role) -> str:
        """The 電文種別コード of a role, as `original_type_code` wants it."""
        return self.telegrams[role].type_code

    # --- bytes ------------------------------------------------------------------------------------------------------

    def encode(self, role: Role, values: Values) -> bytes:
        """The telegram, without framing.

        `values` holds text as `str`, amounts and numbers as `int`; a field without a value is left out. Raises
        `EncodeError`, also for a name the telegram does not have.
        """
        telegram = self.telegrams[role]
        data = telegram.write(values)
        if data is not None:
            return data
        if not values.keys() <= telegram.names:
            unknown = min(values.keys() - telegram.names)
            shown = unknown if unknown in VOCABULARY else "(a name unknown here)"
            raise EncodeError(self.name, role, shown, None, "the telegram takes no value of this name; leave it out")
        try:
            return telegram.plan.encode(values)
        except FieldFault as fault:
            raise EncodeError(self.name, role, fault.field, fault.offset, fault.problem) from None

    def decode(self, data: bytes) -> Message:
        """What the bytes of one telegram (without framing) say. Raises `DecodeError` and nothing else."""
        for likely in self.likely.get(data[self.type_code_at], ()):
            values = likely.read(data)
            if values is not None:
                return Message(likely.role, values)
        telegram = self.identify(data)
        try:
            return Message(telegram.role, telegram.plan.decode(data))
        except FieldFault as fault:
            raise DecodeError(self.name, telegram.role, fault.field, fault.offset, fault.problem) from None

    def identify(self, data: bytes) -> Telegram:
        """Which telegram it is, by its type code alone where that suffices. Raises `DecodeError`."""
        raw = data[self.type_code_at]
        found = self.selector.get(raw)
        if isinstance(found, Telegram):
            return found
        start = self.type_code_at.start
        if found is None:
            if len(data) < self.type_code_at.stop:
                problem = f"ends after {len(data)} bytes, before the type code is complete"
                raise DecodeError(self.name, None, None, len(data), problem)
            raise DecodeError(self.name, None, "type_code", start, "is not one of the partner's type codes")
        try:
            constant, at = found.find(data)
        except FieldFault as fault:
            raise DecodeError(self.name, None, fault.field, fault.offset, fault.problem) from None
        telegram = found.by_constant.get(constant)
        if telegram is None:
            raise DecodeError(self.name, None, found.field, at, "no telegram of this type code has this constant")
        return telegram

    def dissect(self, data: bytes) -> list[Part]:
        """The bytes of each field, with the offset it has in this telegram. Raises `DecodeError`."""
        telegram = self.telegrams[self.decode(data).role]
        return telegram.plan.parts(data)

    # --- meaning ----------------------------------------------------------------------------------------------------

    def match_key(self, role: Role, values: Values) -> MatchKey:
        """The same for a request and the report that answers it, and for no other telegram in flight on the line.

        The key of an error report 異常報告 is that of `error_key`. Raises `KeyError` when a match field has no value,
        and for an envelope: what is inside has one.
        """
        return self.keys[role](values)

    def error_key(self, values: Values) -> MatchKey:
        """Of any request's values: the key an error report 異常報告 about it would have. Raises `KeyError`."""
        return self.keys[Role.ERROR_REPORT](values)

    def classify(self, message: Message) -> Outcome | None:
        """What a report or answer says about its request; None: nothing, for `unclear` says what is wrong with it.

        Raises `ValueError` for a telegram without a result.
        """
        if message.role is Role.ERROR_REPORT:
            return Outcome.IN_ERROR if self._is_explained(message.values.get("error_code")) else None
        code = message.values.get(self.result_field)
        if not isinstance(code, str):
            raise ValueError(f"{self.name} telegram {message.role.value} carries no {self.result_field}")  # noqa: TRY004
        found = self.result_codes.get(code)
        return None if found is None or self._contradicts_itself(message, found) else found.outcome

    def _contradicts_itself(self, message: Message, result: ResultCode) -> bool:
        """Whether the result is none of such a telegram, or a code beside it says something else."""
        of_a_cancel = FAMILY_OF.get(message.role) is Family.FAULT
        if result.fault_cancel and not of_a_cancel:
            return True
        approved, error = result.outcome is Outcome.APPROVED, message.values.get("error_code")
        if not (approved or of_a_cancel) and message.values.get("approval_code") is not None:
            return True
        if error is None:
            return False
        return approved or not self._is_explained(error, of_a_cancel=of_a_cancel)

    def _is_explained(self, error: Value | None, *, of_a_cancel: bool = False) -> bool:
        """Whether by the layouts' list nothing was done. Of a cancel that is no matter: it is repeated."""
        known = self.error_codes.get(str(error))
        return known is not None and (of_a_cancel or not known.may_be_done)

    def unclear(self, message: Message) -> str | None:
        """Why nobody can tell what a report says, for people; None where `classify` can.

        The codes that the layouts list are all that are known. A new one could say anything, an approval too.
        """
        if self.classify(message) is not None:
            return None
        result, error = message.values.get(self.result_field), message.values.get("error_code")
        if message.role is not Role.ERROR_REPORT and result not in self.result_codes:
            return f"its result code {result} is not among those of {self.name}"
        if error is not None and error not in self.error_codes:
            return f"its error code {error} is not among those of {self.name}"
        if message.role is Role.ERROR_REPORT:
            return f"its error code {error} leaves open whether it was done"
        if error is None and message.values.get("approval_code") is not None:
            return f"its result code {result} and its approval code contradict each other"
        if error is None:
            return f"its result code {result} is none of a {message.role.value}"
        return f"its result code {result} and its error code {error} contradict each other"

    def result(self, code: str) -> ResultCode:
        """What a result code means; for one the layouts do not list, what they say of unknown ones."""
        found = self.result_codes.get(code)
        return found if found is not None else self.unknown_result._replace(code=code)

    def result_code_for(self, outcome: Outcome, *, fault_cancel: bool = False) -> str:
        """The first listed result code with that outcome; `fault_cancel`: one for 8950 and 8960, where there is one.

        Raises `KeyError` when there is none.
        """
        found = [result for result in self.result_codes.values() if result.outcome is outcome]
        for result in found:
            if result.fault_cancel is fault_cancel:
                return result.code
        if not found:
            raise KeyError(outcome)
        return found[0].code

    def error(self, code: str) -> ErrorCode:
        """What an error code means; for one the layouts do not list, what they say of unknown ones."""
        found = self.error_codes.get(code)
        return found if found is not None else self.unknown_error._replace(code=code)

    # --- for people -------------------------------------------------------------------------------------------------

    def masked(self, values: Values) -> dict[str, Value]:
        """The values as people may see them: card number masked, other card data and unknown names hidden."""
        return masked_by(self.sensitivities, values)

    def describe(self, message: Message) -> str:
        """The telegram as a table of Japanese term, name and masked value, with the meaning of its codes."""
        telegram = self.telegrams[message.role]
        lines = [f"{self.japanese} {telegram.type_code} {telegram.japanese} {telegram.role.value}"]
        shown = self.masked(message.values)
        for field in telegram.fields:
            if field.name in shown:
                lines.append(f"  {field.japanese} {field.name}: {shown[field.name]}{self._meaning(field, shown)}")
        return "\n".join(lines)

    def _meaning(self, field: FieldSpec, shown: Values) -> str:
        code = shown[field.name]
        says: ResultCode | ErrorCode | ListedValue | None = field.meaning_of(code)
        if field.name == self.result_field:
            says = self.result(str(code))
        elif field.name == "error_code":
            says = self.error(str(code))
        return "" if says is None else f"（{says.japanese} {says.english}）"


def keys_by_role(match_fields: Mapping[Family, Sequence[str]]) -> dict[Role, Callable[[Values], MatchKey]]:
    """For each role the function behind `PartnerSpec.match_key`."""

    def key_of(role: Role) -> Callable[[Values], MatchKey]:
        answer = REPORT_OF.get(role, role)  # stands in front, so that telegrams of two kinds never share a key
        fields = tuple(match_fields[FAMILY_OF[role]])
        return lambda values: (answer, *[values[name] for name in fields])

    return {role: key_of(role) for role in FAMILY_OF}
