"""How long the telegram codec takes, beside others: ``python -m bench.codec``. Microseconds a telegram, best round.

Every CARDNET telegram measured is made by pyiso8583, too, byte for byte the same, from a specification written out of
our layout. iso8583sim has a specification of its own: it gets the same fields with contents of like length, as texts
of hexadecimal digits, which it is quickest with. All take turns in each round, so that what else the machine does hits
all of them.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import iso8583
from iso8583.specs import default_ascii
from iso8583sim.core.builder import ISO8583Builder
from iso8583sim.core.parser import ISO8583Parser
from iso8583sim.core.types import ISO8583_FIELDS, FieldType, ISO8583Message

from schemas.telegrams import FieldSpec, PartnerSpec, Role, Value, load_partner, packaged

ROUNDS = 15
TIMES = 2_000
ROLES = (Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM, Role.FAULT_CONFIRM_REPORT)
NAMES_OF_ENCODINGS = {"ascii": "ascii", "ebcdic": "cp037", "jis_x0201": "shift_jis"}


class Work(NamedTuple):
    """What is measured: the same telegram both ways."""

    encode: Callable[[], object]
    decode: Callable[[], object]


def values_for(partner: PartnerSpec, role: Role) -> dict[str, Value]:
    """A telegram as it is mostly sent: a card is rarely given with track 2, instalments and charges of their own."""
    values = partner.telegrams[role].sample()
    return {name: value for name, value in values.items() if name not in ("track2", "installments", "tax_other")}


def ours(partner: PartnerSpec, role: Role) -> Work:
    """The codec of this repository."""
    values = values_for(partner, role)
    data = partner.encode(role, values)
    return Work(lambda: partner.encode(role, values), lambda: partner.decode(data))


# --- pyiso8583 ------------------------------------------------------------------------------------------------------


def _spec_of(length: int, *, data: str, varies: bool = False, count: str = "nibbles", **pad: str) -> Mapping[str, Any]:
    return {
        "data_enc": data, "len_enc": "bcd", "len_type": int(varies), "max_len": length, "len_count": count, "desc": "",
        **pad,
    }  # fmt: skip


def _text_of(field: FieldSpec, value: Value) -> str:
    """A value as pyiso8583 takes it: a text of what stands on the line."""
    if field.value_type is int:
        return str(value).zfill(field.length)
    text = str(value)
    return (
        text[2:] if field.type == "date" and field.length == 6 else text.ljust(0 if field.is_variable else field.length)
    )


def pyiso8583(partner: PartnerSpec, role: Role) -> Work:
    """pyiso8583 with our layout."""
    values = values_for(partner, role)
    spec: dict[str, Mapping[str, Any]] = {**default_ascii}
    spec |= {"h": _spec_of(5, data="b", count="bytes"), "t": _spec_of(4, data="b")}
    spec |= {"p": _spec_of(8, data="b", count="bytes"), "1": _spec_of(8, data="b", count="bytes")}
    document = {"h": "", "t": partner.type_code(role)}
    for field in partner.telegrams[role].fields:
        value = values.get(field.name) if field.const is None else field.const
        if field.name == "tpdu":
            document["h"] = str(value)
        elif field.bit is not None and value is not None:
            number = str(field.bit)
            document[number] = _text_of(field, value)
            if field.encoding == "bcd":
                pad = {"right_pad": "F"} if field.is_variable else {"left_pad": "0"}
                spec[number] = _spec_of(field.length, data="b", varies=field.is_variable, **pad)
            else:
                name = NAMES_OF_ENCODINGS[field.encoding]
                spec[number] = _spec_of(field.length, data=name, varies=field.is_variable, count="bytes")
    data = bytes(iso8583.encode(document, spec)[0])
    if data != partner.encode(role, values):
        raise AssertionError(f"pyiso8583 makes another telegram of {role.value}")
    return Work(lambda: iso8583.encode(document, spec), lambda: iso8583.decode(data, spec))


# --- iso8583sim -----------------------------------------------------------------------------------------------------


def iso8583sim(partner: PartnerSpec, role: Role) -> Work:
    """iso8583sim with the same fields, of the form that its own specification gives them."""
    values = values_for(partner, role)
    fields: dict[int, str] = {}
    for field in partner.telegrams[role].fields:
        value = values.get(field.name) if field.const is None else field.const
        known = ISO8583_FIELDS.get(field.bit) if field.bit is not None else None
        if field.bit is None or value is None or known is None:
            continue
        varies = known.field_type in (FieldType.LLVAR, FieldType.LLLVAR)
        length = min(len(_text_of(field, value)), known.max_length) if varies else known.max_length
        if field.name in ("pan", "amount"):
            fields[field.bit] = _text_of(field, value)
        else:
            fields[field.bit] = "1" * length
    fields |= {12: "093015", 13: "0401"} if 12 in fields else {}
    builder, parser = ISO8583Builder(), ISO8583Parser()
    code = partner.type_code(role)
    text = builder.build(ISO8583Message(mti=code, fields=fields))
    return Work(lambda: builder.build(ISO8583Message(mti=code, fields=fields)), lambda: parser.parse(text))


# --- measuring ------------------------------------------------------------------------------------------------------


def best_us(works: list[Callable[[], object]]) -> list[float]:
    """Microseconds one call of each takes in its best round; they take turns in every round."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            begun = time.perf_counter()
            for _ in range(TIMES):
                work()
            best[place] = min(best[place], (time.perf_counter() - begun) / TIMES * 1e6)
    return best


def own_table() -> None:
    """Our codec alone, for each partner; and how long it takes to compile all layouts."""
    headings = f"{'fields':>7}{'bytes':>7}{'encode µs':>11}{'decode µs':>11}{'match key µs':>14}"
    print(f"{'partner':10}{'telegram':24}{headings}")
    for name in packaged():
        begun = time.perf_counter()
        partner = load_partner(name)
        loaded_ms = (time.perf_counter() - begun) * 1e3
        for role in ROLES:
            values = values_for(partner, role)
            work = ours(partner, role)
            encode, decode, match = best_us([*work, lambda p=partner, r=role, v=values: p.match_key(r, v)])  # type: ignore[misc]
            row = f"{len(values):>7}{len(partner.encode(role, values)):>7}{encode:>11.1f}{decode:>11.1f}{match:>14.2f}"
            print(f"{name:10}{role.value:24}{row}")
        print(f"{name:10}loading and compiling {len(partner.telegrams)} layouts: {loaded_ms:.0f} ms")


def comparison() -> None:
    """The same CARDNET telegrams by each codec, and how many times ours is faster."""
    partner = load_partner("cardnet")
    makers = {"denbun": ours, "pyiso8583": pyiso8583, "iso8583sim": iso8583sim}
    print(f"\n{'cardnet':24}{'codec':12}{'encode µs':>11}{'times':>7}{'decode µs':>11}{'times':>7}")
    for role in ROLES:
        works = [make(partner, role) for make in makers.values()]
        taken = best_us([way for work in works for way in work])
        for place, name in enumerate(makers):
            encode, decode = taken[2 * place], taken[2 * place + 1]
            times = f"{encode:>11.1f}{encode / taken[0]:>7.1f}{decode:>11.1f}{decode / taken[1]:>7.1f}"
            print(f"{role.value if place == 0 else '':24}{name:12}{times}")


def main() -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)  # iso8583sim logs each step
    own_table()
    comparison()


if __name__ == "__main__":
    main()
