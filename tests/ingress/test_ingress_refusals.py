"""Everything the door turns away: with which words, whether the session goes on, and that nothing was stored."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import PAN, TOKEN, TRACK2, Gateway, RawClient, gateway, request_fields, until
from loop_rig import in_loop
from service_rig import Clock

from schemas.client_frames import COUNT_MAX, Rejection

HELLO = {"type": "hello", "version": 1, "customer": "AP02", "token": TOKEN, "client": "raw/1"}
OTHER_PAN = "5555555555554444"


def framed(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


def told(code: Rejection, place: str | None, *, reference: str | None = None) -> dict[str, Any]:
    """The frame that refuses, with the wording of the table; what is special to the case stands after the colon."""
    texts = {"text_en": code.english, "text_ja": code.japanese}
    shown = {name: text if place is None else f"{text}: {place}" for name, text in texts.items()}
    flags = {"retryable": code.retryable, "inquire": code.inquire, "closing": code.closing}
    named = {} if reference is None else {"reference": reference}
    return {"type": "refused", "code": code.value, **shown, **flags, **named}


_REQUEST = json.dumps(request_fields("r-1") | {"track2": TRACK2}).encode()
CARD = request_fields("r-1")["card"]


def twice(name: str, value: str, blanks: str = "") -> bytes:
    """A request in which this field stands once more, at the end."""
    return framed(_REQUEST[:-1] + f', "{name}"{blanks}: {value}}}'.encode())


# --- what ends the session ------------------------------------------------------------------------------------------

HTTP = "this is HTTP: here are frames; health is asked at metrics_port, /livez and /readyz"
TLS = "this is TLS, and this door speaks without: see ingress.tls"
PROXY = "this is the PROXY protocol, which is not spoken here: take it out of the load balancer"

FIRST_FRAMES: list[tuple[str, bytes | dict[str, Any], Rejection, str | None]] = [
    ("wrong token", HELLO | {"token": "wrong"}, Rejection.NOT_AUTHENTICATED, None),
    ("another's token", HELLO | {"token": "another-token"}, Rejection.NOT_AUTHENTICATED, None),
    ("no token", HELLO | {"token": ""}, Rejection.NOT_AUTHENTICATED, None),
    ("unknown customer", HELLO | {"customer": "AP99"}, Rejection.NOT_AUTHENTICATED, None),
    ("a card for a customer", HELLO | {"customer": PAN}, Rejection.NOT_AUTHENTICATED, None),
    ("version 2", HELLO | {"version": 2}, Rejection.VERSION_UNKNOWN, "version: this gateway speaks 1"),
    ("version 0", HELLO | {"version": 0}, Rejection.VERSION_UNKNOWN, "version: this gateway speaks 1"),
    (
        "version 2, other fields",
        {"type": "hello", "version": 2, "x": 1},
        Rejection.VERSION_UNKNOWN,
        "version: this gateway speaks 1",
    ),
    ("no version", {"type": "hello"}, Rejection.BAD_FRAME, "version is missing"),
    ("version as text", HELLO | {"version": "1"}, Rejection.BAD_FRAME, "version must be of type int"),
    (
        "name with a line break",
        HELLO | {"client": "a\nb"},
        Rejection.BAD_FRAME,
        "client must be 1 to 64 printable ASCII characters",
    ),
    (
        "a card in its name",
        HELLO | {"client": "pos 4111-1111-1111-1111"},
        Rejection.BAD_FRAME,
        "client must not hold a card number: it is logged",
    ),
    (
        "a token twice",
        framed(json.dumps(HELLO).encode()[:-1] + b',"token":"x"}'),
        Rejection.BAD_FRAME,
        "token stands twice",
    ),
    ("no name", HELLO | {"client": ""}, Rejection.BAD_FRAME, "client must be 1 to 64 printable ASCII characters"),
    ("a request first", request_fields("r-1"), Rejection.HELLO_EXPECTED, None),
    ("a ping first", {"type": "ping", "n": 1}, Rejection.HELLO_EXPECTED, None),
    ("a bye first", {"type": "bye"}, Rejection.HELLO_EXPECTED, None),
    ("HTTP", b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", Rejection.FRAME_TOO_LONG, f"1 to 2048 bytes; {HTTP}"),
    ("TLS", bytes.fromhex("16030100c8010000c40303") + bytes(190), Rejection.FRAME_TOO_LONG, f"1 to 2048 bytes; {TLS}"),
    ("PROXY 1", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", Rejection.FRAME_TOO_LONG, f"1 to 2048 bytes; {PROXY}"),
    ("PROXY 2", b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c", Rejection.FRAME_TOO_LONG, f"1 to 2048 bytes; {PROXY}"),
    (
        "JSON lines",
        json.dumps(HELLO).encode() + b"\n",
        Rejection.FRAME_TOO_LONG,
        "1 to 2048 bytes; this is JSON without the length that stands before it",
    ),
    (
        "a little-endian length",
        struct.pack("<I", 99) + b'{"type":',
        Rejection.FRAME_TOO_LONG,
        "1 to 2048 bytes; the length is the wrong way round: its first byte is the highest",
    ),
    (
        "a length of two bytes",
        struct.pack(">H", 99) + b'{"type":',
        Rejection.FRAME_TOO_LONG,
        "1 to 2048 bytes; the length has four bytes, not two",
    ),
    (
        "a length in digits",
        b'0099{"type":',
        Rejection.FRAME_TOO_LONG,
        "1 to 2048 bytes; the length is four bytes, not four digits",
    ),
    ("noise", b"\xfe\xdc\xba\x98\x76", Rejection.FRAME_TOO_LONG, "1 to 2048 bytes"),
    (
        "a byte order mark",
        framed(b"\xef\xbb\xbf" + json.dumps(HELLO).encode()),
        Rejection.BAD_FRAME,
        "it begins with a byte order mark, which has no place here",
    ),
    (
        "a length that counts itself, and more",
        struct.pack(">I", len(json.dumps(HELLO)) + 4) + json.dumps(HELLO).encode() + b"\0\0\0\x19",
        Rejection.BAD_FRAME,
        "it is JSON and four bytes more: the length does not count its own four",
    ),
]

LATER_FRAMES: list[tuple[str, bytes | dict[str, Any], Rejection, str | None]] = [
    ("hello again", HELLO, Rejection.BAD_FRAME, "hello comes once"),
    ("one byte too long", struct.pack(">I", 2_049), Rejection.FRAME_TOO_LONG, "1 to 2048 bytes"),
    ("four gigabytes", b"\xff\xff\xff\xff", Rejection.FRAME_TOO_LONG, "1 to 2048 bytes"),
    ("empty", b"\0\0\0\0", Rejection.BAD_FRAME, "it is empty"),
    ("not JSON", framed(f"card {PAN} {TRACK2}".encode()), Rejection.BAD_FRAME, "it is not JSON"),
    ("JSON and more", framed(b'{"type":"bye"} {}'), Rejection.BAD_FRAME, "it is not JSON"),
    ("not UTF-8", framed(b'{"type":"\xff"}'), Rejection.BAD_FRAME, "it is not UTF-8"),
    ("a list", framed(b"[]"), Rejection.BAD_FRAME, "it must be of type object"),
    ("deep", framed(b"[" * 2_000), Rejection.BAD_FRAME, "it must be of type object"),
    ("no type", {}, Rejection.BAD_FRAME, "type is missing"),
    ("a card for a type", {"type": PAN}, Rejection.BAD_FRAME, "type is not one that a client sends"),
    ("the gateway's type", {"type": "reply"}, Rejection.BAD_FRAME, "type is not one that a client sends"),
    (
        "a card for a field's name",
        {"type": "ping", "n": 1, PAN: 1},
        Rejection.BAD_FRAME,
        "it has a field that protocol version 1 does not know",
    ),
    (
        "an unknown field of the card",
        request_fields("r-1") | {"card": {"number": PAN, "expiry": "2812", "holder": "A"}},
        Rejection.BAD_FRAME,
        "card has a field that protocol version 1 does not know",
    ),
    (
        "no expiry",
        request_fields("r-1") | {"card": {"number": PAN}},
        Rejection.BAD_FRAME,
        "card.expiry is missing",
    ),
    (
        "amount as text",
        request_fields("r-1") | {"amount": PAN},
        Rejection.BAD_FRAME,
        "amount must be of type int",
    ),
    ("card as text", request_fields("r-1") | {"card": PAN}, Rejection.BAD_FRAME, "card must be of type object"),
    (
        "number as number",
        request_fields("r-1") | {"card": {"number": int(PAN), "expiry": "2812"}},
        Rejection.BAD_FRAME,
        "card.number must be of type str",
    ),
    ("amount with a point", framed(b'{"type":"ping","n":1.5}'), Rejection.BAD_FRAME, "n must be of type int"),
    ("beyond the range", {"type": "ping", "n": COUNT_MAX + 1}, Rejection.BAD_FRAME, "n is out of range"),
    ("below the range", {"type": "ping", "n": -1}, Rejection.BAD_FRAME, "n is out of range"),
    ("a type twice", framed(b'{"type":"ping","type":"bye","n":1}'), Rejection.BAD_FRAME, "type stands twice"),
    ("a number twice, the same", framed(b'{"type":"ping","n":1,"n":1}'), Rejection.BAD_FRAME, "n stands twice"),
    ("a number twice, escaped", framed(b'{"type":"ping","n":1,"\\u006e":2}'), Rejection.BAD_FRAME, "n stands twice"),
    ("a name twice, once empty", twice("track2", "null"), Rejection.BAD_FRAME, "track2 stands twice"),
    ("an amount twice", twice("amount", "1004"), Rejection.BAD_FRAME, "amount stands twice"),
    ("an amount twice, with blanks", twice("amount", "1004", " \t\r\n"), Rejection.BAD_FRAME, "amount stands twice"),
    ("a card twice", twice("card", json.dumps(CARD)), Rejection.BAD_FRAME, "card stands twice"),
    (
        "a card's number twice",
        framed(_REQUEST.replace(b'"expiry"', b'"number": "' + OTHER_PAN.encode() + b'", "expiry"')),
        Rejection.BAD_FRAME,
        "card.number stands twice",
    ),
    (
        "an inquiry's reference twice",
        framed(b'{"type":"inquiry","reference":"a","reference":"b"}'),
        Rejection.BAD_FRAME,
        "reference stands twice",
    ),
    (
        "an acknowledgement's number twice",
        framed(b'{"type":"ack","reference":"a","delivery_no":1,"delivery_no":2}'),
        Rejection.BAD_FRAME,
        "delivery_no stands twice",
    ),
    (
        "a delivery number without end",
        {"type": "ack", "reference": "r-1", "delivery_no": 10**30},
        Rejection.BAD_FRAME,
        "delivery_no is out of range",
    ),
]


def _send(client: RawClient, frame: bytes | dict[str, Any]) -> None:
    client.send_bytes(frame if isinstance(frame, bytes) else framed(json.dumps(frame).encode()))


@pytest.mark.parametrize(
    ("frame", "code", "place"), [case[1:] for case in FIRST_FRAMES], ids=[case[0] for case in FIRST_FRAMES]
)
def test_a_first_frame_that_is_turned_away(
    tmp_path: Path, frame: bytes | dict[str, Any], code: Rejection, place: str | None
) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            client = await RawClient.open(rig.server.port)
            _send(client, frame)
            assert await client.receive() == told(code, place)
            assert await client.ended()
            await client.close()
            assert rig.records("requests") == []
            assert rig.metric("denbun_ingress_rejected_total", code=code.value) == 1

    scenario()


@pytest.mark.parametrize(
    ("frame", "code", "place"), [case[1:] for case in LATER_FRAMES], ids=[case[0] for case in LATER_FRAMES]
)
def test_a_later_frame_that_ends_the_session(
    tmp_path: Path, frame: bytes | dict[str, Any], code: Rejection, place: str | None
) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            client = await RawClient.greeted(rig.server.port)
            _send(client, frame)
            client.ask("r-2")  # behind what ended the session: not taken any more
            assert await client.receive() == told(code, place)
            assert await client.ended()
            await client.close()
            assert rig.records("requests") == []

    scenario()


@pytest.mark.parametrize(
    ("sent", "place"),
    [
        (b"", None),
        (b"\0\0\0", None),
        (framed(json.dumps(HELLO).encode())[:-1], "the frame is not whole"),
        (
            struct.pack(">I", len(json.dumps(HELLO)) + 4) + json.dumps(HELLO).encode(),
            "four bytes are missing: the length does not count its own four",
        ),
    ],
)
def test_a_hello_that_does_not_come_is_told_what_it_lacks(tmp_path: Path, sent: bytes, place: str | None) -> None:
    @in_loop
    async def scenario() -> None:
        clock = Clock()
        async with gateway(tmp_path, now_ms=clock) as rig:
            client = await RawClient.open(rig.server.port)
            client.send_bytes(sent)
            await until(lambda: sum(each.session._deframer.pending for each in heard(rig)) == len(sent), "the bytes")
            await until(lambda: bool(heard(rig)), "the call")
            clock.pass_ms(5_000)
            assert await client.receive() == told(Rejection.HELLO_TIMEOUT, place)
            assert await client.ended()
            await client.close()

    scenario()


def heard(rig: Gateway) -> list[Any]:
    """The connections that can be talked to."""
    return [each for each in rig.server._connections if each.session is not None]


@in_loop
async def test_what_came_before_the_wrong_frame_is_taken(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        first = framed(json.dumps(request_fields("r-1")).encode())
        client.send_bytes(first + framed(b"?") + framed(json.dumps(request_fields("r-2")).encode()))
        assert await client.receive() == told(Rejection.BAD_FRAME, "it is not JSON")
        assert await client.ended()
        await client.close()
        assert [record.transaction_id for record in rig.records("requests")] == ["AP02:r-1"]


@in_loop
async def test_a_truncated_frame_is_no_frame(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        whole = framed(json.dumps(request_fields("r-1")).encode())
        client.send_bytes(whole[:-1])
        client.end_input()
        assert await client.ended()
        await client.close()
        assert rig.records("requests") == []
        assert rig.metric("denbun_ingress_closed_total", reason="truncated") == 1


@in_loop
async def test_a_frame_may_come_byte_by_byte_and_be_as_long_as_allowed(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        payload = json.dumps({"type": "ping", "n": 5}).encode()
        for byte in framed(payload + b" " * (2_048 - len(payload))):
            client.send_bytes(bytes((byte,)))
        assert await client.receive() == {"type": "pong", "n": 5}
        await client.close()


# --- what the session survives --------------------------------------------------------------------------------------

WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "gift"}, "kind must be one of authorisation, sale, cancel, refund"),
    ({"terminal_id": ""}, "terminal_id must be 1 to 13 letters and digits"),
    ({"terminal_id": "12345678901234"}, "terminal_id must be 1 to 13 letters and digits"),
    ({"terminal_id": "端末"}, "terminal_id must be 1 to 13 letters and digits"),
    ({"amount": 0}, "amount must be 1 to 99999999 yen"),
    ({"amount": -1}, "amount must be 1 to 99999999 yen"),
    ({"amount": 100_000_000}, "amount must be 1 to 99999999 yen"),
    ({"amount": 10**30}, "amount must be 1 to 99999999 yen"),
    ({"payment_method": "1"}, "payment_method must be two digits"),
    ({"payment_method": "１０"}, "payment_method must be two digits"),
    ({"wait_ms": 0}, "wait_ms must be 1 to 86400000"),
    ({"wait_ms": 86_400_001}, "wait_ms must be 1 to 86400000"),
    ({"card": {"number": "411111111111", "expiry": "2812"}}, "card.number must be 13 to 19 digits"),
    ({"card": {"number": "4111 1111 1111 1111", "expiry": "2812"}}, "card.number must be 13 to 19 digits"),
    ({"card": {"number": PAN[:-1] + "2", "expiry": "2812"}}, "card.number has a wrong check digit"),
    ({"card": {"number": PAN, "expiry": "2813"}}, "card.expiry must be YYMM"),
    ({"card": {"number": PAN, "expiry": "12/28"}}, "card.expiry must be YYMM"),
    ({"track2": ";" + TRACK2 + "?"}, "track2 must be the data of track 2 without sentinels, at most 37 characters"),
    ({"track2": TRACK2 + "0" * 5}, "track2 must be the data of track 2 without sentinels, at most 37 characters"),
    ({"track2": TRACK2.replace(PAN, OTHER_PAN)}, "track2 is of another card than card.number"),
    ({"security_code": "12"}, "security_code must be three or four digits"),
    ({"original_reference": "r-0"}, "original_reference has no place in a sale"),
    ({"kind": "cancel"}, "original_reference is missing: a cancel names the transaction it follows"),
    ({"kind": "refund", "original_reference": "r-1"}, "original_reference is the request's own reference"),
    (
        {"kind": "refund", "original_reference": "r 0"},
        "original_reference must be 1 to 32 characters of A-Z a-z 0-9 . _ -",
    ),
    (
        {"kind": "refund", "original_reference": PAN},
        "original_reference must not hold 13 or more digits in a row, which could be a card number",
    ),
    (
        {"kind": "refund", "original_reference": "4111_1111_1111_1111"},
        "original_reference must not hold a card number, nor one whose digits stand in groups",
    ),
    (
        {"kind": "refund", "original_reference": "4111a1111b1111c1111"},
        "original_reference must not hold the card's number",
    ),
    (
        {"card": {"number": "4222222222222", "expiry": "2812"}, "terminal_id": "4222222222222"},
        "terminal_id must not hold the card's number",
    ),
    (
        {"kind": "cancel", "original_reference": "r-0", "track2": TRACK2},
        "track2 has no place in a cancel: what is not needed is not taken",
    ),
    (
        {"kind": "refund", "original_reference": "r-0", "security_code": "123"},
        "security_code has no place in a refund: what is not needed is not taken",
    ),
]


@in_loop
async def test_a_wrong_field_is_named_and_the_session_goes_on(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        for changes, place in WRONG_FIELDS:
            client.ask("r-1", **changes)
            assert await client.receive() == told(Rejection.INVALID_REQUEST, place, reference="r-1")
        await client.pong()
        await client.close()
        assert rig.records("requests") == []
        assert rig.metric("denbun_ingress_rejected_total", code="invalid_request") == len(WRONG_FIELDS)


IN_GROUPS = (
    "4111-1111-1111-1111",
    "4111.1111_1111-1111",
    "4111--1111..1111__1111",
    "r-4111-1111-1111-1111",
    "4111-1111-1111-1111-2812",
    "0004111-1111-1111-11112812",
    "x3782-822463-10005.9",
    "5555-55555555.4444",
    "4-1-1-1-1-1-1-1-1-1-1-1-1-1-1-1",
)


@pytest.mark.parametrize(
    ("reference", "place"),
    [
        ("", "must be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        ("a" * 33, "must be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        ("r:1", "must be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        ("r-1\n", "must be 1 to 32 characters of A-Z a-z 0-9 . _ -"),
        (PAN, "must not hold 13 or more digits in a row, which could be a card number"),
        (f"r-{PAN}", "must not hold 13 or more digits in a row, which could be a card number"),
        *((each, "must not hold a card number, nor one whose digits stand in groups") for each in IN_GROUPS),
    ],
)
def test_an_unsound_reference_is_never_repeated(tmp_path: Path, reference: str, place: str) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            client = await RawClient.greeted(rig.server.port)
            client.ask(reference)
            client.send(type="inquiry", reference=reference)
            client.send(type="ack", reference=reference, delivery_no=1)
            refused = told(Rejection.INVALID_REQUEST, f"reference {place}")
            assert await client.receive_many(3) == [refused] * 3
            client.send(type="inquiry", reference="r-1", original_reference=reference)
            refused = told(Rejection.INVALID_REQUEST, f"original_reference {place}", reference="r-1")
            assert await client.receive() == refused
            await client.close()
            assert rig.records("requests") == []

    scenario()


@pytest.mark.parametrize("reference", ["4111A1111B1111C1111", "a4111a11111111.1111", "0-41-11-11-11-11-11-11-11"])
def test_a_reference_that_holds_the_requests_own_card_is_never_repeated(tmp_path: Path, reference: str) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            client = await RawClient.greeted(rig.server.port)
            client.ask(reference)
            refused = await client.receive()
            assert refused["code"] == "invalid_request"
            assert "reference" not in refused
            assert reference not in str(refused)
            await client.close()
            assert rig.records("requests") == []

    scenario()


@in_loop
async def test_a_reference_of_a_date_and_a_count_and_a_terminals_number_are_none_of_a_card(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_in_flight=200) as rig:
        client = await RawClient.greeted(rig.server.port)
        for number in range(100):  # of these the check digit is right in every tenth
            await client.answered(f"A-20250401-{number:06}", terminal_id=f"49801234567{number:02}")
        await client.close()
        assert len(rig.records("requests")) == 100


@in_loop
async def test_wait_ms_beyond_the_gateways_longest_is_cut(tmp_path: Path) -> None:
    async with gateway(tmp_path, wait_max_ms=20_000) as rig:
        client = await RawClient.greeted(rig.server.port)
        assert client.welcome["wait_max_ms"] == 20_000
        await client.answered("r-1", wait_ms=86_400_000)
        await client.close()
        (asked,) = rig.records("requests")
        assert asked.expires_ms - asked.accepted_ms == 20_000  # type: ignore[attr-defined]


# --- limits ---------------------------------------------------------------------------------------------------------


@in_loop
async def test_welcome_tells_the_limits(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        session = client.welcome.pop("session")
        assert client.welcome == {
            "type": "welcome",
            "version": 1,
            "max_frame_bytes": 2_048,
            "max_in_flight": 4,
            "idle_timeout_ms": 60_000,
            "wait_max_ms": 30_000,
            "confirm_ms": 5_000,
        }
        other = await RawClient.greeted(rig.server.port)
        assert other.welcome["session"] != session
        await client.close()
        await other.close()


@in_loop
async def test_one_session_too_many_is_told_so_and_a_freed_place_is_given_again(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_sessions=1) as rig:
        first = await RawClient.greeted(rig.server.port)
        second = await RawClient.open(rig.server.port)
        assert await second.receive() == told(Rejection.TOO_MANY_SESSIONS, None)
        assert await second.ended()
        await second.close()
        await first.pong()
        first.send(type="bye")
        assert await first.ended()
        await first.close()
        third = await RawClient.open(rig.server.port)
        third.send(**HELLO)
        while (await third.receive())["type"] == "refused":  # until the gateway has seen the other ends close
            await third.close()
            third = await RawClient.open(rig.server.port)
            third.send(**HELLO)
        await third.pong()
        await third.close()


@in_loop
async def test_one_request_too_many_is_told_so_and_an_answer_frees_its_place(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, max_in_flight=2, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        for reference in ("r-1", "r-2", "r-3"):
            client.ask(reference)
        client.send(type="inquiry", reference="r-4")
        refusals = await client.receive_many(2)
        assert refusals == [
            told(Rejection.TOO_MANY_IN_FLIGHT, "at most 2", reference="r-3"),
            told(Rejection.TOO_MANY_IN_FLIGHT, "at most 2", reference="r-4"),
        ]
        clock.pass_ms(1_000)
        client.ask("r-1")  # a repeat counts once
        await client.pong()
        assert sorted(record.reference for record in rig.records("requests")) == ["r-1", "r-1", "r-2"]  # type: ignore[union-attr]
        await client.close()


@in_loop
async def test_what_is_repeated_while_its_answer_is_owed_is_not_stored_again(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, max_in_flight=2, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        for passes_ms in (0, 0, 999, 1, 0):
            clock.pass_ms(passes_ms)
            client.ask("r-1")
            client.send(type="inquiry", reference="r-2")
            await client.pong()
        asked = [(type(each).__name__, each.reference) for each in rig.records("requests")]  # type: ignore[union-attr]
        assert sorted(asked) == [("InquiryAsked", "r-2"), ("RequestAccepted", "r-1"), ("RequestAccepted", "r-1")]
        client.ask("r-1", amount=99)
        assert (await client.receive())["code"] == "reference_in_flight"
        await client.close()


@in_loop
async def test_a_place_is_free_again_when_its_time_is_over(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, max_in_flight=1, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1", wait_ms=10_000)
        client.ask("r-2")
        assert (await client.receive())["code"] == "too_many_in_flight"
        clock.pass_ms(10_001)
        client.ask("r-2")
        await client.pong()
        await client.close()
        assert sorted(record.reference for record in rig.records("requests")) == ["r-1", "r-2"]  # type: ignore[union-attr]


@in_loop
async def test_other_content_under_a_reference_in_flight_is_refused_at_the_door(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        for change in ({"amount": 1}, {"card": {"number": OTHER_PAN, "expiry": "2812"}}, {"payment_method": "61"}):
            client.ask("r-1", **change)
            assert await client.receive() == told(Rejection.REFERENCE_IN_FLIGHT, None, reference="r-1")
        client.ask("r-1", wait_ms=20_000, security_code="123")  # the same payment, which is owed its answer
        await client.pong()
        await client.close()
        assert [record.amount for record in rig.records("requests")] == [12_800]  # type: ignore[union-attr]


# --- time -----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_session_without_hello_is_closed_in_time(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.open(rig.server.port)
        client.send_bytes(b"\0\0")
        clock.pass_ms(5_000)
        assert await client.receive() == told(Rejection.HELLO_TIMEOUT, None)
        assert await client.ended()
        await client.close()


@in_loop
async def test_an_idle_session_is_closed_and_a_ping_keeps_it(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.greeted(rig.server.port)
        for _ in range(3):
            clock.pass_ms(40_000)
            await client.pong()
        client.send_bytes(b"\0\0")  # the beginning of a frame is no sign of life
        clock.pass_ms(60_000)
        assert await client.receive() == told(Rejection.IDLE_TIMEOUT, None)
        assert await client.ended()
        await client.close()
        assert rig.metric("denbun_ingress_closed_total", reason="idle_timeout") == 1
