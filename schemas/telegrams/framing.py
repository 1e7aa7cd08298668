"""How telegrams are delimited on a TCP stream: a length in front of each, as the partner's ``[framing]`` says."""

from enum import StrEnum

import msgspec

from schemas.telegrams.errors import FramingError


class LengthKind(StrEnum):
    """How the length is written."""

    BINARY = "binary"  # unsigned, big-endian
    ASCII = "ascii"  # decimal digits


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """A length of `length_bytes` bytes before each telegram; `max_length` bounds the telegram without its length."""

    kind: LengthKind
    length_bytes: int
    counts_itself: bool
    max_length: int

    @property
    def largest(self) -> int:
        """The greatest telegram the length field itself could announce, in bytes."""
        base = 256 if self.kind is LengthKind.BINARY else 10
        return int(base**self.length_bytes) - 1 - (self.length_bytes if self.counts_itself else 0)

    def wrap(self, payload: bytes) -> bytes:
        """The telegram with its length in front. Raises `ValueError` when it is empty or longer than `max_length`."""
        size = len(payload)
        if not 0 < size <= self.max_length:
            raise ValueError(f"a telegram of {size} bytes cannot be framed: 1 to {self.max_length} bytes are allowed")
        if self.counts_itself:
            size += self.length_bytes
        if self.kind is LengthKind.BINARY:
            return size.to_bytes(self.length_bytes, "big") + payload
        return b"%0*d%b" % (self.length_bytes, size, payload)

    def deframer(self) -> "Deframer":
        """A new `Deframer`, for one connection."""
        return Deframer(self)


class Deframer:
    """Cuts what a connection delivers into telegrams, however the network has split it. One for each connection."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = bytearray()
        self._consumed = 0  # bytes of the stream before the buffer
        self._fault: FramingError | None = None

    @property
    def pending(self) -> int:
        """Bytes of a telegram that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The telegrams that `data` completes, without their lengths.

        Raises `FramingError` when a length is not a number, zero or beyond `max_length`. Telegrams completed by the
        same call before the fault are in its `telegrams`: handle them, then close the connection. From then on every
        call raises.
        """
        if self._fault is not None:
            raise FramingError(self._fault.problem, self._fault.offset, [])
        buffer = self._buffer
        buffer += data
        width = self._framing.length_bytes
        telegrams: list[bytes] = []
        at = 0
        try:
            while len(buffer) - at >= width:
                end = at + width + self._length_at(at, telegrams)
                if len(buffer) < end:
                    break
                telegrams.append(bytes(buffer[at + width : end]))
                at = end
        except FramingError as fault:
            self._fault = fault
            raise
        if at:
            del buffer[:at]
            self._consumed += at
        return telegrams

    def close(self) -> None:
        """The stream has ended. Raises `FramingError` when it ended inside a telegram."""
        if self._buffer and self._fault is None:
            problem = f"the stream ended inside a telegram, after {len(self._buffer)} of its bytes (length included)"
            raise FramingError(problem, self._consumed + len(self._buffer), [])

    def _length_at(self, at: int, telegrams: list[bytes]) -> int:
        framing = self._framing
        raw = self._buffer[at : at + framing.length_bytes]
        if framing.kind is LengthKind.BINARY:
            length = int.from_bytes(raw, "big")
        elif raw.isdigit():
            length = int(raw)
        else:
            problem = f"the length is not {framing.length_bytes} digits"
            raise FramingError(problem, self._consumed + at, telegrams)
        if framing.counts_itself:
            length -= framing.length_bytes
        if not 0 < length <= framing.max_length:
            problem = f"a telegram of {length} bytes is announced; 1 to {framing.max_length} are allowed"
            raise FramingError(problem, self._consumed + at, telegrams)
        return length
