"""How records are written: Avro, each carrying the fingerprint of its schema in a header.

`schemas/avro/<Record>.avsc` is the truth on the wire. The header ``schema`` holds the CRC-64-AVRO fingerprint
(Avro specification, "Schema Fingerprints") of the writer's schema in hexadecimal, so that an old record is read with
its own schema: every schema that was ever written to a topic stays under `schemas/avro/history`, and what a newer
version writes is learned from the topic ``schemas`` (`learn`, `ask`), so that two versions run side by side. A change
is allowed when records of every earlier schema can be read with the new one, and the other way round; `faults_of` says
what is wrong with it. ``python -m schemas.wire`` checks, and with ``--write`` files the new schemas and their history.
"""

import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, Protocol, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form
from fastavro.types import Schema

from schemas import records
from schemas.avro_writing import plan_of
from schemas.records import Record
from schemas.schema_form import NAMESPACE, read_schema

HEADER = "schema"
VALUE_BYTES_MAX = 1_048_576  # of a record; our producers hand over none above 1,000,000 (librdkafka: message.max.bytes)

R = TypeVar("R", bound=Record)
Headers = tuple[tuple[str, bytes], ...]


class RecordError(Exception):
    """A record that cannot be read. The message names where it lies and the remedy; it never contains the record."""


class Carried(Protocol):
    """The part of a consumed message that is needed to read it."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Encoded(NamedTuple):
    """The bytes of a record and the headers that must travel with them."""

    value: bytes
    headers: Headers


RECORDS: Mapping[str, type[Record]] = {
    name: item
    for name, item in vars(records).items()
    if isinstance(item, type) and issubclass(item, Record) and item is not Record
}


# --- schemas from classes -------------------------------------------------------------------------------------------

_PRIMITIVES: Mapping[Any, str] = {str: "string", int: "long", bytes: "bytes", bool: "boolean"}


def schema_of(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The Avro schema of a record class, as a JSON object. Raises `TypeError` for a field type Avro has no form for."""
    return _record_schema(cls, set())


def _record_schema(cls: type[msgspec.Struct], known: set[str]) -> dict[str, Any]:
    known.add(cls.__name__)
    fields: list[dict[str, Any]] = []
    for name, hint in get_type_hints(cls).items():
        field: dict[str, Any] = {"name": name, "type": _type_schema(hint, known)}
        if isinstance(field["type"], list):
            field["default"] = None
        fields.append(field)
    return {
        "type": "record",
        "name": cls.__name__,
        "namespace": NAMESPACE,
        "doc": " ".join((cls.__doc__ or "").split("\n\n")[0].split()),
        "fields": fields,
    }


def _type_schema(hint: Any, known: set[str]) -> Any:
    if get_origin(hint) is UnionType:
        (inner,) = (each for each in get_args(hint) if each is not NoneType)
        return ["null", _type_schema(inner, known)]
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return "string"  # a new member must not make old readers fail before they can say what they met
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"{NAMESPACE}.{hint.__name__}" if hint.__name__ in known else _record_schema(hint, known)
    raise TypeError(f"no Avro form for {hint!r}")


# --- the book of schemas --------------------------------------------------------------------------------------------


class _Written(NamedTuple):
    """A schema that records on the topics may have been written with."""

    record: str
    schema: Schema
    current: bool


def fingerprint_of(schema: Schema) -> str:
    """The CRC-64-AVRO fingerprint of the schema's parsing canonical form, 16 hexadecimal digits."""
    return str(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _load() -> dict[str, _Written]:
    book: dict[str, _Written] = {}
    folder = resources.files("schemas") / "avro"
    for current, place in ((False, folder / "history"), (True, folder)):
        for entry in sorted(place.iterdir(), key=lambda item: item.name):
            if not entry.name.endswith(".avsc"):
                continue
            raw = json.loads(entry.read_text("utf-8"))
            if raw["name"] in RECORDS:  # a record that is no more: `main` speaks of it, `decode` says it is unknown
                book[fingerprint_of(raw)] = _Written(raw["name"], parse_schema(raw, {}), current)
    return book


_BOOK = _load()
_CURRENT = {RECORDS[written.record]: written.schema for written in _BOOK.values() if written.current}
_WRITING = {
    RECORDS[written.record]: (plan_of(written.schema), ((HEADER, print_.encode()),))
    for print_, written in _BOOK.items()
    if written.current
}
_BY_HEADER = {print_.encode(): written for print_, written in _BOOK.items()}
_askers: list[Callable[[], object]] = []
_BYTES = (bytes,)
_FINGERPRINT = re.compile(rb"[0-9a-f]{16}")
_NEWER = re.compile(r"Invalid enum value '[a-z_]{1,40}' - at `[$.a-z_]*`")  # short and plain: no part of a telegram


def encode(record: Record) -> Encoded:
    """Write a record with its current schema."""
    write, headers = _WRITING[type(record)]
    return Encoded(write(record), headers)


def current_schemas() -> dict[bytes, bytes]:
    """What this version writes: each fingerprint, and its schema as JSON."""
    return {
        print_.encode(): json.dumps(schema_of(RECORDS[written.record])).encode()
        for print_, written in _BOOK.items()
        if written.current
    }


def learn(print_: bytes, text: bytes) -> None:
    """Be able to read what another version writes.

    Raises `ValueError` for what is no schema of this fingerprint, or none that records of ours can be read with: what
    was known before stays.
    """
    raw = read_schema(text)
    real = fingerprint_of(raw)
    if real.encode() != print_:
        raise ValueError(f"the schema with the fingerprint {real}, not {_shown(print_)}")
    cls = RECORDS.get(raw["name"])
    if cls is None or print_ in _BY_HEADER:  # a record that is not known here, or a schema that is
        return
    if faults := faults_of(cls.__name__, schema_of(cls), [raw]):
        raise ValueError(f"no version of {cls.__name__} that can be read here ({len(faults)} faults): {faults[0]}")
    _BY_HEADER[print_] = _Written(cls.__name__, parse_schema(raw, {}), current=False)


def ask(learning: Callable[[], object]) -> None:
    """Have this called before a schema is said to be unknown; it may `learn`."""
    _askers[:] = [learning]


def decode(message: Carried) -> Record:
    """Read a record with the schema it was written with. Raises `RecordError`."""
    value = message.value
    if value is None:
        raise _error(
            message, "has no value where a record is expected", "find out who wrote it; see docs/operations.md"
        )
    mark = _mark_of(message.headers)
    if mark is None:
        raise _error(
            message, f"carries no '{HEADER}' header", "only the gateway's own services may write to its topics"
        )
    written = _BY_HEADER.get(mark)
    if written is None and _FINGERPRINT.fullmatch(mark):
        for asker in _askers:
            asker()
        written = _BY_HEADER.get(mark)
    if written is None:
        raise _error(
            message,
            f"was written with a schema unknown here (fingerprint {_shown(mark)})",
            "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record",
        )
    cls = RECORDS[written.record]
    if len(value) > VALUE_BYTES_MAX:
        told = f"has {len(value)} bytes where a record has at most {VALUE_BYTES_MAX}"
        raise _error(message, told, "none of the services wrote it; keep it, call support")
    source = io.BytesIO(value)
    try:
        fields = schemaless_reader(source, written.schema, None if written.current else _CURRENT[cls])
        record = msgspec.convert(fields, cls, builtin_types=_BYTES)
    except Exception as error:  # noqa: BLE001  whatever the libraries raise for such bytes
        # from None: their texts may quote the bytes
        if _NEWER.fullmatch(str(error)):
            remedy = "run the version that wrote it, or a newer one; nothing was skipped, it resumes at this record"
            raise _error(message, f"says what is unknown here ({written.record}: {error})", remedy) from None
        raise _error(
            message,
            f"is not a valid {written.record} ({type(error).__name__})",
            "the record is damaged; keep it, call support",
        ) from None
    if source.tell() != len(value):
        raise _error(message, f"is longer than a {written.record}", "the record is damaged; keep it, call support")
    return record


def _mark_of(headers: Headers) -> bytes | None:
    """The fingerprint that a record carries."""
    for name, mark in headers:
        if name == HEADER:
            return mark
    return None


def decode_as(cls: type[R], message: Carried) -> R:
    """Read a record that must be of one class. Raises `RecordError`."""
    record = decode(message)
    if not isinstance(record, cls):
        raise _error(
            message,
            f"is a {type(record).__name__} where only {cls.__name__} belongs",
            "see the topic table, schemas/topics.py",
        )
    return record


def misplaced(message: Carried, record: Record) -> RecordError:
    """The error for a record that is sound but does not belong on its topic."""
    return _error(
        message, f"is a {type(record).__name__}, which does not belong there", "see the topic table, schemas/topics.py"
    )


def _error(message: Carried, what: str, remedy: str) -> RecordError:
    return RecordError(f"record {message.topic}/{message.partition}@{message.offset} {what}: {remedy}")


def _shown(mark: bytes) -> str:
    """A fingerprint; whoever writes a header that is none may have written anything."""
    return mark.decode() if _FINGERPRINT.fullmatch(mark) else "of another form"


# --- the compatibility check ----------------------------------------------------------------------------------------


def faults_of(name: str, new: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]]) -> list[str]:
    """What makes `new` an incompatible change of the record `name`, one sentence each; empty when it is sound."""
    faults = []
    current = {field["name"]: field for field in new["fields"]}
    for old in earlier:
        mark = fingerprint_of(dict(old))
        before = {field["name"]: field for field in old["fields"]}
        for field in current.keys() - before.keys():
            if "default" not in current[field]:
                faults.append(f"{name}.{field}: new since {mark} without a default; make it optional")
        for field in before.keys() - current.keys():
            if "default" not in before[field]:
                faults.append(f"{name}.{field}: removed since {mark}, where it had no default; keep it")
        for field in current.keys() & before.keys():
            if not _same_or_wider(before[field]["type"], current[field]["type"]):
                faults.append(f"{name}.{field}: its type differs from {mark}; add a field under a new name instead")
    return sorted(faults)


def _same_or_wider(before: Any, now: Any) -> bool:
    if isinstance(before, dict) and isinstance(now, dict):
        return before.get("name") == now.get("name") and not faults_of(str(now.get("name")), now, [before])
    if isinstance(before, list) and isinstance(now, list):
        return len(before) == len(now) and all(map(_same_or_wider, before, now))
    return bool(before == now)


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str], folder: Path, say: Callable[[str], object]) -> int:
    """Check (or with ``--write`` file) the schemas of all records under `folder`. Returns the exit status."""
    write = "--write" in arguments
    history = folder / "history"
    faults = [
        f"{path.stem}: there is no such record any more, but some may lie on the topics; keep the class"
        for path in sorted(folder.glob("*.avsc"))
        if path.stem not in RECORDS
    ]
    for name, cls in sorted(RECORDS.items()):
        new = schema_of(cls)
        path = folder / f"{name}.avsc"
        old = json.loads(path.read_text("utf-8")) if path.exists() else None
        earlier = [json.loads(each.read_text("utf-8")) for each in sorted(history.glob(f"{name}.*.avsc"))]
        if old is not None and fingerprint_of(old) != fingerprint_of(new):
            earlier.append(old)
        wrong = faults_of(name, new, earlier)
        faults += wrong
        if old == new or wrong:
            continue
        if not write:
            faults.append(f"{name}: {path.name} differs from the class; run python -m schemas.wire --write")
            continue
        if old is not None and fingerprint_of(old) != fingerprint_of(new):
            (history / f"{name}.{fingerprint_of(old)}.avsc").write_text(_text(old), "utf-8")
        path.write_text(_text(new), "utf-8")
        say(f"{name}: written")
    for fault in faults:
        say(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).parent / "avro", print))
