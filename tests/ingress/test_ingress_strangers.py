"""First bytes that are no frame, and the words in which each kind of stranger is told what it speaks."""

import pytest
from test_ingress_refusals import HTTP, PROXY, TLS

from ingress.strangers import counts_itself, guess

MAX_BYTES = 2_048
JSON = "this is JSON without the length that stands before it"
DIGITS = "the length is four bytes, not four digits"
TWO_BYTES = "the length has four bytes, not two"
REVERSED = "the length is the wrong way round: its first byte is the highest"

FIRST_BYTES = [
    (b"GET / HTTP/1.1\r\n", HTTP),
    (b"HEAD / HTTP/1.1\r\n", HTTP),
    (b"POST / HTTP/1.1\r\n", HTTP),
    (b"PUT / HTTP/1.1\r\n", HTTP),
    (b"OPTIONS * HTTP/1.1\r\n", HTTP),
    (b"DELETE / HTTP/1.1\r\n", HTTP),
    (b"PATCH / HTTP/1.1\r\n", HTTP),
    (b"CONNECT a:1 HTTP/1.1\r\n", HTTP),
    (b"TRACE / HTTP/1.1\r\n", HTTP),
    (b"PRI * HTTP/2.0\r\n\r\n", HTTP),
    (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", TLS),
    (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", PROXY),
    (b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c", PROXY),
    (b'{"type":"hello"}\n', JSON),
    (b'0099{"type":', DIGITS),
    (b'\0\x63{"type":', TWO_BYTES),
    (b"\x01\0\0\0{", REVERSED),
    (MAX_BYTES.to_bytes(4, "little") + b"{", REVERSED),
    ((MAX_BYTES + 1).to_bytes(4, "little") + b"{", None),
    (b"\0\0\0\0\0\0\0\0", None),
    (b"\xfe\xdc\xba\x98\x76", None),
]


@pytest.mark.parametrize(("first", "words"), FIRST_BYTES, ids=[repr(first) for first, _ in FIRST_BYTES])
def test_a_stranger_is_told_what_its_first_bytes_look_like(first: bytes, words: str | None) -> None:
    assert guess(first, MAX_BYTES) == words


@pytest.mark.parametrize(("received", "does"), [(95, False), (96, True), (97, False), (100, False)])
def test_a_length_counts_itself_where_exactly_its_own_four_bytes_never_come(received: int, *, does: bool) -> None:
    assert counts_itself(100, received) is does
