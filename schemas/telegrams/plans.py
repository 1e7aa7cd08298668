"""A telegram's layout, compiled: values to bytes and back in one pass over prepared steps.

Two kinds. *Fixed*: every field at its place; the last may vary in length. *Bitmap*: a fixed header, a bitmap of 64 or
128 bits in the manner of ISO 8583, then the fields whose bits are set, in the order of their bits.
"""

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import NamedTuple, Protocol

from schemas.telegrams.coding import FieldCodec, VariableCodec, Write, compile_element, compile_positional
from schemas.telegrams.conditions import broken, rules_of
from schemas.telegrams.errors import Problem
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.vocabulary import Value

Values = Mapping[str, Value]

# Bounds what a hostile partner could make us remember; a telegram has 2^(optional fields) sets that are in order.
_REMEMBERED_BITMAPS = 256


class FieldFault(Exception):  # noqa: N818 (never leaves the package; the codec turns it into an error with its telegram)
    """What is wrong, in which field (None: the telegram as a whole), at which byte (None: while encoding)."""

    def __init__(self, field: str | None, offset: int | None, problem: str) -> None:
        super().__init__(field, offset, problem)
        self.field = field
        self.offset = offset
        self.problem = problem


class Part(NamedTuple):
    """A field's bytes in one telegram; `field` is None for the bitmap."""

    field: FieldSpec | None
    offset: int
    raw: bytes


class Plan(Protocol):
    """What both kinds of layout can do. All raise `FieldFault`."""

    def encode(self, values: Values) -> bytes: ...
    def decode(self, data: bytes) -> dict[str, Value]: ...
    def parts(self, data: bytes) -> list[Part]: ...


def text_of(trouble: Problem | UnicodeError, field: FieldSpec) -> str:
    """What to say about it. A UnicodeError's own text would quote the value."""
    if isinstance(trouble, UnicodeEncodeError):
        return f"character {trouble.start + 1} is not allowed in type {field.type}"
    return str(trouble) if isinstance(trouble, Problem) else f"holds a byte not allowed in type {field.type}"


def offset_in(trouble: Problem | UnicodeError) -> int:
    """At which byte of the field it is."""
    if isinstance(trouble, UnicodeDecodeError):
        return trouble.start
    return trouble.at if isinstance(trouble, Problem) else 0


def _write_all(steps: Sequence[tuple[str, Write]], fields: Sequence[FieldSpec], values: Values) -> list[bytes]:
    get = values.get
    out: list[bytes] = []
    try:
        for name, write in steps:
            out.append(write(get(name)))  # the length of `out` says which field it was
    except (Problem, UnicodeError) as trouble:
        field = fields[len(out)]
        raise FieldFault(field.name, None, text_of(trouble, field)) from None
    return out


class FixedPlan:
    """Every field at its place, one after another without gaps; the last one may vary in length."""

    def __init__(self, fields: Sequence[FieldSpec]) -> None:
        self.fields = tuple(fields)
        placed = [field for field in fields if not field.is_variable]
        codecs = [compile_positional(field) for field in placed]
        self._reads = tuple((field.name, codec.read) for field, codec in zip(placed, codecs, strict=True))
        self._tail = next((step_of(field, compile_element(field)) for field in fields if field.is_variable), None)
        writes = [codec.write for codec in codecs] + [compile_element(field).write for field in fields[len(placed) :]]
        self._writes = tuple((field.name, write) for field, write in zip(fields, writes, strict=True))
        self._rules = rules_of(fields)
        packed = Struct("".join(f"{field.size}s" for field in placed))
        self.size = packed.size  # but for the one that varies
        self._unpack = packed.unpack_from

    def encode(self, values: Values) -> bytes:
        data = b"".join(_write_all(self._writes, self.fields, values))
        if self._rules and (wrong := broken(self._rules, values)) is not None:
            raise FieldFault(wrong[0].name, None, wrong[1])
        return data

    def decode(self, data: bytes) -> dict[str, Value]:
        if self._tail is not None:
            values = self._decode_with(self._tail, data)
        elif len(data) != self.size:
            raise FieldFault(None, None, f"is {len(data)} bytes long where the layout has {self.size}")
        else:
            values = self.decode_front(data)
        if self._rules and (wrong := broken(self._rules, values)) is not None:
            raise FieldFault(wrong[0].name, self.offset_of_name(wrong[0].name), wrong[1])
        return values

    def decode_front(self, data: bytes) -> dict[str, Value]:
        """As `decode`, for bytes that go on after the last field; there are enough of them."""
        values: dict[str, Value] = {}
        done = 0
        try:
            for (name, read), raw in zip(self._reads, self._unpack(data), strict=True):
                value = read(raw)
                if value is not None:
                    values[name] = value
                done += 1
        except (Problem, UnicodeError) as trouble:
            field = self.fields[done]
            offset = self.offset_of(done) + offset_in(trouble)
            raise FieldFault(field.name, offset, text_of(trouble, field)) from None
        return values

    def _decode_with(self, tail: "Step", data: bytes) -> dict[str, Value]:
        if len(data) < self.size:
            raise FieldFault(None, None, f"is {len(data)} bytes long where the layout has {self.size} and more")
        values = self.decode_front(data)
        try:
            raw = take(tail, data, self.size)
            value = tail.read(raw)
        except (Problem, UnicodeError) as trouble:
            raise FieldFault(
                tail.name, self.size + offset_in(trouble), text_of(trouble, tail.field)
            ) from None  # fmt: skip
        if value is not None:
            values[tail.name] = value
        if (end := self.size + len(raw)) != len(data):
            raise FieldFault(None, end, f"goes on for {len(data) - end} bytes after its last field")
        return values

    def offset_of(self, index: int) -> int:
        return sum(field.size for field in self.fields[:index])

    def offset_of_name(self, name: str) -> int | None:
        """Where a field begins; None for one that is not here."""
        return next((self.offset_of(at) for at, field in enumerate(self.fields) if field.name == name), None)

    def parts(self, data: bytes) -> list[Part]:
        raws = (*self._unpack(data), *(() if self._tail is None else (data[self.size :],)))
        return [
            Part(field, self.offset_of(at), raw) for at, (field, raw) in enumerate(zip(self.fields, raws, strict=True))
        ]


class Step(NamedTuple):
    """How to take one field out of a telegram in which its place is not fixed.

    `head` bytes look up the whole size in `sizes`, if it varies.
    """

    name: str
    size: int
    head: int
    sizes: dict[bytes, int] | None
    read: Callable[[bytes], Value | None]
    field: FieldSpec


def step_of(field: FieldSpec, codec: FieldCodec | VariableCodec) -> Step:
    """The step of a field."""
    sizes = codec.sizes if isinstance(codec, VariableCodec) else None
    return Step(field.name, field.size, field.length_size, sizes, codec.read, field)


class BitmapPlan:
    """A fixed header, the bitmap, and the fields whose bits are set."""

    def __init__(self, header: Sequence[FieldSpec], elements: Sequence[FieldSpec]) -> None:
        self._header = FixedPlan(header)
        self.fields = tuple(elements)
        self._bitmap_at = self._header.size
        codecs = [compile_element(field) for field in elements]
        self._steps = {bit_of(field): step_of(field, codec) for field, codec in zip(elements, codecs, strict=True)}
        self._rules = rules_of(elements)
        always = [field.always or field.const is not None or field.default is not None for field in elements]
        self._needed = tuple(bit_of(field) for field, needed in zip(elements, always, strict=True) if needed)
        self._writes = tuple(
            (field.name, codec.write, 1 << (128 - bit_of(field)), needed)
            for field, codec, needed in zip(elements, codecs, always, strict=True)
        )
        self._known: dict[bytes, tuple[Step, ...]] = {}

    def encode(self, values: Values) -> bytes:
        out = [self._header.encode(values), b""]
        bits = 0
        get = values.get
        name = ""
        try:
            for name, write, mask, needed in self._writes:
                value = get(name)
                if value is not None or needed:
                    out.append(write(value))
                    bits |= mask
        except (Problem, UnicodeError) as trouble:
            field = next(field for field in self.fields if field.name == name)
            raise FieldFault(name, None, text_of(trouble, field)) from None
        if self._rules and (wrong := broken(self._rules, values)) is not None:
            raise FieldFault(wrong[0].name, None, wrong[1])
        if bits & ((1 << 64) - 1):
            out[1] = (bits | 1 << 127).to_bytes(16, "big")  # bit 1: a second bitmap follows
        else:
            out[1] = (bits >> 64).to_bytes(8, "big")
        return b"".join(out)

    def decode(self, data: bytes) -> dict[str, Value]:
        steps, at = self._present(data)
        values = self._header.decode_front(data)
        try:
            for step in steps:
                raw = take(step, data, at)
                value = step.read(raw)
                if value is not None:
                    values[step.name] = value
                at += len(raw)
        except (Problem, UnicodeError) as trouble:
            raise FieldFault(step.name, at + offset_in(trouble), text_of(trouble, step.field)) from None
        if at != len(data):
            raise FieldFault(None, at, f"goes on for {len(data) - at} bytes after its last field")
        if self._rules and (wrong := broken(self._rules, values)) is not None:
            raise FieldFault(wrong[0].name, self._where(wrong[0], data), wrong[1])
        return values

    def _where(self, field: FieldSpec, data: bytes) -> int:
        """Where a field begins, or where the bitmap says that it is not there."""
        offsets = [part.offset for part in self.parts(data) if part.field is field]
        return offsets[0] if offsets else self._bitmap_at + (bit_of(field) - 1) // 8

    def parts(self, data: bytes) -> list[Part]:
        steps, at = self._present(data)
        parts = [*self._header.parts(data), Part(None, self._bitmap_at, data[self._bitmap_at : at])]
        for step in steps:
            raw = take(step, data, at)
            parts.append(Part(step.field, at, raw))
            at += len(raw)
        return parts

    def _present(self, data: bytes) -> tuple[tuple[Step, ...], int]:
        """The steps of the fields that are there, and where the first begins."""
        bitmap, at = bitmap_of(data, self._bitmap_at)
        steps = self._known.get(bitmap)
        if steps is None:
            steps = self._check_bitmap(bitmap)
            if len(self._known) < _REMEMBERED_BITMAPS:
                self._known[bitmap] = steps
        return steps, at

    def _check_bitmap(self, bitmap: bytes) -> tuple[Step, ...]:
        bits = bits_of(bitmap)
        for bit in bits:
            if bit not in self._steps:
                where = self._bitmap_at + (bit - 1) // 8
                raise FieldFault(None, where, f"bit {bit} is set, but this telegram has no such field")
        for bit in self._needed:
            if bit not in bits:
                where = self._bitmap_at + min((bit - 1) // 8, len(bitmap) - 1)
                raise FieldFault(self._steps[bit].name, where, f"bit {bit} is not set, but the field is required")
        return tuple(self._steps[bit] for bit in bits)


class Walk:
    """Finds one constant field of a bitmap telegram before it is known which telegram it is.

    `before` are all fields that may stand in front of it, in any of the telegrams it tells apart; the loader has made
    sure that they agree about each bit.
    """

    def __init__(self, bitmap_at: int, target: FieldSpec, before: Sequence[FieldSpec]) -> None:
        self._bitmap_at = bitmap_at
        self._target = target
        self._steps = {bit_of(field): step_of(field, compile_element(field)) for field in (*before, target)}
        self._known: dict[bytes, tuple[Step, ...]] = {}

    def find(self, data: bytes) -> tuple[bytes, int]:
        """The bytes of the field and where they begin. Raises `FieldFault`."""
        bitmap, at = bitmap_of(data, self._bitmap_at)
        steps = self._known.get(bitmap)
        if steps is None:
            steps = self._way(bitmap)
            if len(self._known) < _REMEMBERED_BITMAPS:
                self._known[bitmap] = steps
        step = steps[0]
        try:
            for step in steps:
                raw = take(step, data, at)
                at += len(raw)
        except Problem as trouble:
            raise FieldFault(step.name, at + trouble.at, str(trouble)) from None
        return raw, at - len(raw)

    def _way(self, bitmap: bytes) -> tuple[Step, ...]:
        """The fields up to and with the one to find. Raises `FieldFault` when it is not there."""
        last = bit_of(self._target)
        bits = [bit for bit in bits_of(bitmap) if bit <= last]
        for bit in bits:
            if bit not in self._steps:
                where = self._bitmap_at + (bit - 1) // 8
                raise FieldFault(None, where, f"bit {bit} is set, but no telegram of this type code has such a field")
        if last not in bits:
            problem = "is not there, but it says which telegram this is"
            raise FieldFault(self._target.name, self._bitmap_at, problem)
        return tuple(self._steps[bit] for bit in bits)


def bitmap_of(data: bytes, at: int) -> tuple[bytes, int]:
    """The bitmap that begins at byte `at`, and the byte after it. Raises `FieldFault` when the bytes do not suffice."""
    end = at + (16 if data[at : at + 1] >= b"\x80" else 8)
    if len(data) < end:
        raise FieldFault(None, at, f"ends inside the bitmap, after {max(0, len(data) - at)} of {end - at} bytes")
    return data[at:end], end


def bits_of(bitmap: bytes) -> tuple[int, ...]:
    """The numbers of the bits that stand for fields; bit 1 only says that there is a second bitmap."""
    number = int.from_bytes(bitmap, "big")
    width = 8 * len(bitmap)
    return tuple(bit for bit in range(2, width + 1) if number >> (width - bit) & 1)


def bit_of(field: FieldSpec) -> int:
    """The bit of a field of a bitmap layout."""
    if field.bit is None:
        raise AssertionError(f"the loader lets no field without a bit through: {field.name}")
    return field.bit


class FieldReader:
    """One field by itself, for those who want to know how far bytes fit a layout. `placed`: at a fixed place."""

    def __init__(self, field: FieldSpec, *, placed: bool) -> None:
        in_place = placed and not field.is_variable
        self._step = step_of(field, compile_positional(field) if in_place else compile_element(field))

    def take(self, data: bytes, at: int) -> bytes:
        """Its bytes, from byte `at` on, its length in front included. Raises `FieldFault`."""
        try:
            return take(self._step, data, at)
        except Problem as trouble:
            raise FieldFault(self._step.name, at + trouble.at, str(trouble)) from None

    def read(self, raw: bytes, at: int) -> Value | None:
        """The value of these bytes, which stand at byte `at`; None of a blank. Raises `FieldFault`."""
        try:
            return self._step.read(raw)
        except (Problem, UnicodeError) as trouble:
            field = self._step.field
            raise FieldFault(field.name, at + offset_in(trouble), text_of(trouble, field)) from None


def take(step: Step, data: bytes, at: int) -> bytes:
    """The bytes of a field, its length in front included. Raises `Problem`."""
    size = step.size
    if step.sizes is not None:
        announced = step.sizes.get(data[at : at + step.head])
        if announced is None:
            if len(data) < at + step.head:
                raise Problem(f"ends after {len(data) - at} of the {step.head} bytes of its length")
            raise Problem("does not begin with a length the layout allows")
        size = announced
    raw = data[at : at + size]
    if len(raw) != size:
        raise Problem(f"ends after {len(raw)} of its {size} bytes")
    return raw
