"""What comes to the door and is no frame: said in words that help whoever sent it. Pure; nothing of it is repeated."""

from schemas.client_frames import LENGTH_BYTES

_HTTP = (b"GET ", b"HEAD", b"POST", b"PUT ", b"OPTI", b"DELE", b"PATC", b"CONN", b"TRAC", b"PRI ")


def guess(first: bytes, max_bytes: int) -> str | None:
    """What the first bytes of a connection look like; None: like nothing that is known."""
    if first.startswith(_HTTP):
        return "this is HTTP: here are frames; health is asked at metrics_port, /livez and /readyz"
    if first.startswith(b"\x16\x03"):
        return "this is TLS, and this door speaks without: see ingress.tls"
    if first.startswith((b"PROXY ", b"\r\n\r\n\0\r\nQUIT")):
        return "this is the PROXY protocol, which is not spoken here: take it out of the load balancer"
    if first.startswith(b"{"):
        return "this is JSON without the length that stands before it"
    if first[:LENGTH_BYTES].isdigit():
        return "the length is four bytes, not four digits"
    if first[2:3] == b"{":
        return "the length has four bytes, not two"
    if 1 <= int.from_bytes(first[:LENGTH_BYTES], "little") <= max_bytes:
        return "the length is the wrong way round: its first byte is the highest"
    return None


def counts_itself(announced: int, received: int) -> bool:
    """Whether a frame that does not end lacks as many bytes as its length has."""
    return announced - received == LENGTH_BYTES
