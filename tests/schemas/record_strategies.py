"""Any record at all, built from the types of its class."""

from dataclasses import dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from schemas.records import Record
from schemas.wire import RECORDS

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    int: st.integers(-(2**63), 2**63 - 1),
    bytes: st.binary(max_size=40),
    bool: st.booleans(),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that a record may hold."""
    if get_origin(hint) is UnionType:
        return st.one_of(*(values_of(each) for each in get_args(hint)))
    if hint is NoneType:
        return st.none()
    if hint in _PLAIN:
        return _PLAIN[hint]
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    assert issubclass(hint, msgspec.Struct)
    return st.builds(hint, **{name: values_of(inner) for name, inner in get_type_hints(hint).items()})


def records_of(cls: type[Record]) -> st.SearchStrategy[Record]:
    return values_of(cls)


any_record = st.sampled_from(sorted(RECORDS)).flatmap(lambda name: records_of(RECORDS[name]))


@dataclass(frozen=True)
class Lying:
    """A message as it lies on a topic."""

    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    topic: str = "dev-requests"
    partition: int = 3
    offset: int = 4711
