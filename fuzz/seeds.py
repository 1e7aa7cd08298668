"""Where every corpus begins: one input of every kind there is, made from the code's own samples."""

import struct
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from fuzz.door import TOKEN
from fuzz.streams import CAFIS, CARDNET
from schemas import wire
from schemas.client_frames import (
    LENGTH_BYTES,
    Ack,
    AnyGatewayFrame,
    Bye,
    Card,
    Hello,
    Inquiry,
    Ping,
    Rejection,
    Reply,
    Request,
    Settled,
    StatusTold,
    frame,
)
from schemas.records import Status
from schemas.telegrams import ORDINARY_REQUESTS, REPORT_OF, VOCABULARY, PartnerSpec, Role

_DEVELOPMENT = Path(__file__).parents[1] / "deploy" / "environments" / "development" / "denbun.toml"
_DEEP = 3_000  # more levels than a reader can follow
_json = msgspec.json.Encoder().encode

HELLO = Hello(version=1, customer="AP02", token=TOKEN, client="fuzz")
ASKED = Request(
    reference="r1", kind="sale", terminal_id="T1", amount=100, payment_method="10", wait_ms=3_000,
    card=Card(number="4111111111111111", expiry="2812"), track2="4111111111111111=28122010000000000000",
    security_code="123",
)  # fmt: skip
FOLLOWING = msgspec.structs.replace(
    ASKED, reference="r2", kind="cancel", original_reference="r1", track2=None, security_code=None
)
CLIENT_FRAMES = (
    HELLO,
    ASKED,
    FOLLOWING,
    Inquiry(reference="r1"),
    Ack(reference="r1", delivery_no=1),
    Ping(n=1),
    Bye(),
)


def seeds() -> dict[str, list[bytes]]:
    """The seeds of each target."""
    return {
        "cafis": list(_streams(CAFIS)),
        "cardnet": list(_streams(CARDNET)),
        "telegrams": list(_telegrams()),
        "records": list(_records()),
        "schemas": list(_schemas()),
        "door": list(_doors()),
        "session": list(_sessions()),
        "client": list(_gateways()),
        "installation": list(_files()),
        "inspect": list(_inspected()),
    }


def tokens() -> list[bytes]:
    """Words that a mutation would hardly find by itself."""
    words = {*VOCABULARY, *wire.RECORDS, *Role, *Status, *Rejection, "cafis", "cardnet", TOKEN, "AP02", "\n", "\0"}
    for each in (*CLIENT_FRAMES, *GATEWAY_FRAMES):
        words |= {str(msgspec.to_builtins(each)["type"]), *msgspec.to_builtins(each)}
    return sorted(word.encode() for word in words)


def sample(hint: Any, name: str = "") -> Any:
    """Some value of a type that a record or a frame may hold."""
    origin = get_origin(hint)
    if origin is UnionType:
        return sample(next(each for each in get_args(hint) if each is not NoneType), name)
    if origin is not None:  # Annotated
        return sample(get_args(hint)[0], name)
    if hint is str:
        return "p1" if name == "reference" else "1"
    if hint in (int, bool, bytes):
        return hint(1)
    if issubclass(hint, Enum):
        return next(iter(hint))
    return hint(**{name: sample(inner, name) for name, inner in get_type_hints(hint).items()})


GATEWAY_FRAMES = [sample(each) for each in get_args(AnyGatewayFrame)]


def _streams(partner: PartnerSpec) -> Iterator[bytes]:
    yield b"\3" + b"".join(
        partner.framing.wrap(partner.encode(role, telegram.sample(optional=False)))
        for role, telegram in partner.telegrams.items()
    )
    for role in partner.telegrams:
        yield b"\0" + partner.framing.wrap(partner.encode(role, partner.telegrams[role].sample()))


def _telegrams() -> Iterator[bytes]:
    for role in (*ORDINARY_REQUESTS, *(REPORT_OF[each] for each in ORDINARY_REQUESTS), Role.ERROR_REPORT):
        yield f"cafis {role}\nterminal_id=1\n-approval_code".encode()
        yield f"cardnet {role}\ntrace_number#1\n-amount".encode()
    yield from (f"{partner} {role}".encode() for role in Role for partner in ("cafis", "cardnet"))
    yield b"cafis sale_request\nmerchant_name=A "
    yield b"cafis sale_request\ntax_other#0\ninstallments#0\nreference=-\nsecurity_code=1234"
    yield b"cardnet sale_request\ntax_other#0\nproduct_code=0000\ncompany_code=1\nexpiry=x"


def _schemas() -> Iterator[bytes]:
    """A schema of today, one of tomorrow, and each form that ours do not have, with a value."""
    ours = wire.schema_of(wire.RECORDS["LineTaken"])
    value = b"\x0ecafis-1\x04n1\x0e"
    yield _json(ours) + b"\0" + value
    record = {"type": "record", "name": "N", "namespace": "denbun", "fields": [{"name": "n", "type": "long"}]}
    itself = {**record, "fields": [{"name": "n", "type": ["null", "denbun.N"], "default": None}]}
    array, map_ = {"type": "array", "items": "long"}, {"type": "map", "values": "long"}
    fixed, enum = {"type": "fixed", "name": "F", "size": 4}, {"type": "enum", "name": "E", "symbols": ["A"]}
    for form in (
        "string",
        "bytes",
        record,
        itself,
        {**record, "fields": []},
        array,
        map_,
        fixed,
        enum,
        "double",
        "null",
    ):
        field = {"name": "x", "type": ["null", form], "default": None}
        yield _json({**ours, "fields": [*ours["fields"], field]}) + b"\0" + value + b"\x02\x02\x02\x00"
    yield _json({**ours, "fields": ours["fields"][:-1]})
    yield _json({**ours, "aliases": ["LineGiven"]})
    yield _json({**ours, "name": "Another"})
    yield b"[" * _DEEP
    yield b"7"


def _records() -> Iterator[bytes]:
    for name, cls in wire.RECORDS.items():
        yield f"{name}\n".encode() + wire.encode(sample(cls)).value
    yield from (b"", b"\n", b"RequestAccepted", b"no\rfingerprint\n")


def _doors() -> Iterator[bytes]:
    for each in CLIENT_FRAMES[1:]:
        yield b"\0" + frame(HELLO) + frame(each)
    yield b"\0" + frame(ASKED)
    yield b"\0" + frame(msgspec.structs.replace(HELLO, token=TOKEN[1:])) + frame(ASKED)
    yield b"\0" + (2_000).to_bytes(LENGTH_BYTES) + b" " * 2_000
    yield b"\7" + b"".join(map(frame, CLIENT_FRAMES))


def _sessions() -> Iterator[bytes]:
    hello, asked, _, inquiry, ack, ping, bye = map(_json, CLIENT_FRAMES)
    yield b"\n".join((hello, asked, b".", ack, b".", ping, bye))
    yield b"\n".join((hello, asked, b".", ack, b"+501", b".", bye, b"+100"))
    yield b"\n".join((hello, asked, b".", b"~501", ack, b".", ack))
    yield b'{"type":"hello","later":' + b"[" * _DEEP
    yield b"\n".join((hello, asked, b".", b"+501", ack, inquiry, b":", b"^", inquiry, b"."))
    yield b"\n".join((hello, asked, b"!", asked, b":", inquiry, b"!", b"^", asked, b"+9000"))
    yield b"\n".join((*map(_json, CLIENT_FRAMES), b"=" + frame(FOLLOWING), b".", b"+9000"))


def _gateways() -> Iterator[bytes]:
    for each in GATEWAY_FRAMES:
        yield _json(each)
    yield b'{"type":"pong","n":1,"later":' + b"[" * _DEEP
    reply = Reply(reference="p1", status=Status.APPROVED, delivery_no=1, confirm=True, approval_code="123456")
    settled = Settled(reference="p1", delivery_no=1, confirmed=True)
    void = msgspec.structs.replace(settled, confirmed=False)
    yield _json(reply) + b"\n" + _json(settled)
    yield b"\n".join(map(_json, (reply, void, StatusTold(reference="p1", status=Status.APPROVED))))
    yield b"\n".join((b"x", _json(StatusTold(reference="p1", status=Status.UNKNOWN)), _json(reply), _json(settled)))
    for rejection in (Rejection.STOPPING, Rejection.OUTCOME_UNKNOWN, Rejection.INVALID_REQUEST):
        yield _json(rejection.told(reference="p1")) + b"\n" + _json(rejection.told(reference="q1"))
    yield _json(StatusTold(reference="q1", status=Status.IN_PROCESS)) + b"\n" + b"=" + frame(Bye())


def _files() -> Iterator[bytes]:
    yield _DEVELOPMENT.read_bytes()
    yield b"[kafka]\n\0DENBUN_KAFKA__PARTITIONS=6\nDENBUN_KEYS__RING=a"
    yield b"x = " + b"[" * _DEEP
    yield b"x = 1\n\0DENBUN_KAFKA__PARTITIONS=" + b"[" * _DEEP
    yield b'"a\\nb" = 1\n[kafka]\npartitions = ' + b"1" * 4_001


def _inspected() -> Iterator[bytes]:
    """Bytes, hex text of two forms, and a connection as packets without a file, and as a capture."""
    whole = CAFIS.encode(Role.SALE_REQUEST, CAFIS.telegrams[Role.SALE_REQUEST].sample())
    report = CARDNET.encode(Role.SALE_REPORT, CARDNET.telegrams[Role.SALE_REPORT].sample())
    yield b"\0" + whole
    yield b"\0" + CARDNET.framing.wrap(report)
    yield b"\0" + whole[:60] + whole[61:]
    yield b"\0" + report[:40]
    yield b"\1" + report.hex(",").encode()
    shown = bytes(range(0xA0, 0xDA))  # the digits of a telegram would look like a card number
    rows = (f"{at:08x}: {shown[at : at + 16].hex(' ')}  ................" for at in range(0, len(shown), 16))
    yield b"\1" + "\n".join(rows).encode()
    stream = CAFIS.framing.wrap(whole) * 2
    packets = [_packet(1_000, b"", 2), _packet(1_001, stream[:100], 16), _packet(1_101, stream[100:], 16)]
    yield b"\3" + b"".join((1 << 13 | len(each)).to_bytes(2, "big") + each for each in packets)
    records = b"".join(struct.pack("<IIII", 1, 0, len(each), len(each)) + each for each in packets)
    yield b"\2" + struct.pack("<IHHiIII", 0xA1B2_C3D4, 2, 4, 0, 0, 65_535, 101) + records
    section = struct.pack("<IIIHHqI", 0x0A0D_0D0A, 28, 0x1A2B_3C4D, 1, 0, -1, 28)
    described = struct.pack("<IIHHII", 1, 20, 101, 0, 0, 20)
    blocks = (each + bytes(-len(each) % 4) for each in packets)
    yield (
        b"\2"
        + section
        + described
        + b"".join(_block(each, size) for each, size in zip(blocks, map(len, packets), strict=True))
    )


def _packet(sequence: int, data: bytes, flags: int) -> bytes:
    """A packet of IPv4 with this much of a stream."""
    tcp = struct.pack(">HHIIBBHHH", 40_001, 7_501, sequence, 0, 0x50, flags, 0, 0, 0) + data
    return struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, 1, 2) + tcp


def _block(packet: bytes, size: int) -> bytes:
    length = 32 + len(packet)
    return struct.pack("<IIIIIII", 6, length, 0, 0, 0, size, size) + packet + struct.pack("<I", length)
