"""What ``partner.toml`` says, checked."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.records import Outcome
from schemas.telegrams.files import (
    ERROR_KEYS,
    FRAMING_KEYS,
    MATCH_KEYS,
    PARTNER,
    RESULT_KEYS,
    UNKNOWN_ERROR_KEYS,
    UNKNOWN_RESULT_KEYS,
    Faults,
    Table,
    check_table,
    tables_in,
)
from schemas.telegrams.framing import Framing, LengthKind
from schemas.telegrams.roles import Family
from schemas.telegrams.spec import ErrorClass, ErrorCode, ResultCode

_WIDTH_MAX = 18  # digits of a trace number


class Settings(NamedTuple):
    """What ``partner.toml`` says; the names are those of `PartnerSpec`."""

    name: str
    japanese: str
    english: str
    note: str
    framing: Framing
    trace_width: int
    trace_range: tuple[int, int]
    route_range: tuple[int, int]
    result_field: str
    result_codes: Mapping[str, ResultCode]
    unknown_result: ResultCode
    error_codes: Mapping[str, ErrorCode]
    unknown_error: ErrorCode
    match_fields: Mapping[Family, tuple[str, ...]]


def read_settings(table: Table, faults: Faults) -> Settings | None:
    """What ``partner.toml`` says, or None when it is at fault. Its own keys have been checked already."""
    before = faults.told
    results = _codes(faults, "result_codes", table["result_codes"], RESULT_KEYS)
    errors = _codes(faults, "error_codes", table["error_codes"], ERROR_KEYS)
    check_table(faults, PARTNER, "framing", table["framing"], FRAMING_KEYS)
    check_table(faults, PARTNER, "match", table["match"], MATCH_KEYS)
    check_table(faults, PARTNER, "unknown_result", table["unknown_result"], UNKNOWN_RESULT_KEYS)
    check_table(faults, PARTNER, "unknown_error", table["unknown_error"], UNKNOWN_ERROR_KEYS)
    if not 1 <= table["trace_width"] <= _WIDTH_MAX:
        faults.add(PARTNER, "trace_width", f"is not 1 to {_WIDTH_MAX}", "say how many digits a trace number has")
        return None
    for name in ("trace_range", "route_range"):
        _check_range(faults, name, table[name], table["trace_width"])
    for family, fields in table["match"].items():
        if isinstance(fields, list) and not (
            "trace_number" in fields and all(isinstance(each, str) for each in fields)
        ):
            problem = f"{family} is not a list of field names with trace_number among them"
            faults.add(PARTNER, "match", problem, "without the trace number a report could be taken for another's")
    if faults.told != before:
        return None
    framing = _framing(faults, table["framing"])
    if table["unknown_result"]["outcome"] == Outcome.APPROVED:
        remedy = "what nobody listed must never count as approved"
        faults.add(PARTNER, "unknown_result", "an unknown code would be taken for an approval", remedy)
    if framing is None or faults.told != before:
        return None
    return Settings(
        name=table["name"],
        japanese=table["japanese"],
        english=table["english"],
        note=table["note"],
        framing=framing,
        trace_width=table["trace_width"],
        trace_range=(table["trace_range"][0], table["trace_range"][1]),
        route_range=(table["route_range"][0], table["route_range"][1]),
        result_field=table["result_field"],
        result_codes=MappingProxyType({each["code"]: _result(each) for each in results}),
        unknown_result=_result({**table["unknown_result"], "code": ""}),
        error_codes=MappingProxyType({each["code"]: _error(each) for each in errors}),
        unknown_error=_error({**table["unknown_error"], "code": ""}),
        match_fields=MappingProxyType({Family(name): tuple(fields) for name, fields in table["match"].items()}),
    )


def _codes(faults: Faults, place: str, items: Sequence[object], keys: Mapping[str, Any]) -> list[Table]:
    tables = tables_in(faults, PARTNER, place, items)
    seen: set[object] = set()
    for table in tables:
        code = str(table.get("code", "?"))
        check_table(faults, PARTNER, f"{place} {code}", table, keys)
        if code in seen:
            faults.add(PARTNER, f"{place} {code}", "the code is listed twice", "keep one of them")
        seen.add(code)
    return tables


def _check_range(faults: Faults, name: str, value: Sequence[object], width: int) -> None:
    match value:
        case [int(first), int(last)] if 0 <= first <= last < 10 ** (width if name == "trace_range" else _WIDTH_MAX):
            return
        case _:
            room = f" within {width} digits" if name == "trace_range" else ""
            faults.add(PARTNER, name, "is not a range of numbers" + room, "write [first, last]")


def _framing(faults: Faults, table: Table) -> Framing | None:
    framing = Framing(
        kind=LengthKind(table["kind"]),
        length_bytes=table["length_bytes"],
        counts_itself=table["counts_itself"],
        max_length=table["max_length"],
    )
    most = 4 if framing.kind is LengthKind.BINARY else 9
    if not 1 <= framing.length_bytes <= most:
        problem = f"a length of {framing.length_bytes} bytes cannot be read"
        faults.add(PARTNER, "framing", problem, f"with kind {framing.kind} use 1 to {most}")
        return None
    if not 1 <= framing.max_length <= framing.largest:
        problem = f"max_length {framing.max_length} cannot be told in {framing.length_bytes} bytes of length"
        faults.add(PARTNER, "framing", problem, f"use 1 to {framing.largest}")
        return None
    return framing


def _result(table: Table) -> ResultCode:
    fault_cancel = table.get("fault_cancel", False)
    return ResultCode(table["code"], Outcome(table["outcome"]), table["japanese"], table["english"], fault_cancel)


def _error(table: Table) -> ErrorCode:
    may_be_done = table.get("may_be_done", False)
    return ErrorCode(table["code"], ErrorClass(table["error_class"]), table["japanese"], table["english"], may_be_done)
