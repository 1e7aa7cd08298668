"""What can be wrong with a field by itself."""

from schemas.telegrams.fields import TYPES, Blank, Encoding, FieldSpec, Pad
from schemas.telegrams.vocabulary import VOCABULARY

# The keys concerned, the problem, the remedy.
_Complaint = tuple[tuple[str, ...], str, str]

LENGTH_MAX = 9_999  # of a field; what is longer is a slip, and no telegram of a card network


def faults_of(spec: FieldSpec, *, bitmap: bool, grouped: bool = False) -> list[_Complaint]:
    """What is wrong with a field by itself: the keys concerned, the problem, the remedy.

    `bitmap`: it is an element of a bitmap layout; `grouped`: of a group.
    """
    return [
        *_type_faults(spec),
        *_length_faults(spec, bitmap=bitmap),
        *_presence_faults(spec),
        *(_group_faults(spec) if grouped else _place_faults(spec, bitmap=bitmap)),
        *_term_faults(spec),
        *_fact_faults(spec),
    ]


def _type_faults(spec: FieldSpec) -> list[_Complaint]:
    rule = TYPES[spec.type]
    found: list[_Complaint] = []
    if spec.encoding not in rule.encodings:
        allowed = ", ".join(sorted(rule.encodings))
        keys = ("type", "encoding")
        found.append(
            (keys, f"type {spec.type} cannot be written in encoding {spec.encoding}", f"use one of: {allowed}")
        )
    if rule.lengths is not None and spec.length not in rule.lengths:
        allowed = " or ".join(map(str, sorted(rule.lengths)))
        found.append((("length",), f"type {spec.type} cannot have length {spec.length}", f"use {allowed}"))
    if rule.value_type is int:
        pads = [Pad.ZERO_LEFT]
    elif spec.encoding in (Encoding.BCD, Encoding.BINARY) or spec.is_variable or spec.type in ("date", "time"):
        pads = [Pad.NONE]
    else:
        pads = [Pad.NONE, Pad.SPACE_RIGHT, Pad.SPACE_LEFT]
    if spec.pad not in pads:
        found.append((("pad",), f"this kind of field cannot be padded with {spec.pad}", f"use {' or '.join(pads)}"))
    return found


def _length_faults(spec: FieldSpec, *, bitmap: bool) -> list[_Complaint]:
    found: list[_Complaint] = []
    if spec.length < 1 or not 1 <= spec.min_length <= spec.length:
        keys = ("length", "min_length")
        found.append((keys, "the lengths are not in order", "1 ≤ min_length ≤ length must hold"))
    elif spec.length > LENGTH_MAX:
        remedy = f"use at most {LENGTH_MAX}"
        found.append((("length",), "the length is more than a telegram of a card network has", remedy))
    if not spec.is_variable:
        if spec.length_encoding is not None:
            found.append((("length_encoding",), "a fixed length has no length in front", "take length_encoding away"))
        return found
    if not bitmap and not spec.always:
        problem = "a field at a fixed place cannot vary in length and be absent"
        found.append((("length_kind", "required"), problem, "say `required = true`, or use length_kind fixed, and pad"))
    if spec.value_type is int or spec.type in ("date", "time"):
        found.append((("length_kind",), f"type {spec.type} cannot vary in length", "use length_kind fixed"))
    if spec.length_encoding is None:
        found.append((("length_encoding",), "the length in front has no encoding", "add length_encoding"))
    most = 10**spec.length_kind.digits - 1
    if spec.length_encoding is Encoding.BINARY:
        most = min(most, 255)
    if spec.length > most:
        kind = spec.length_kind.value
        found.append(
            (("length", "length_kind"), f"a {kind} of {spec.length} is too long", f"at most {most} can be told")
        )
    return found


def _place_faults(spec: FieldSpec, *, bitmap: bool) -> list[_Complaint]:
    if not bitmap:
        return [] if spec.bit is None else [(("bit",), "has a bit, but stands at a fixed place", "take bit away")]
    found: list[_Complaint] = []
    if spec.offset is not None:
        found.append((("offset",), "has an offset, but its place depends on the bitmap", "take offset away"))
    if spec.bit is None:
        found.append((("bit",), "the key 'bit' is missing", "add it"))
    elif not 2 <= spec.bit <= 128 or spec.bit == 65:
        remedy = "use 2 to 128, but not 65; bits 1 and 65 announce further bitmaps"
        found.append((("bit",), f"bit {spec.bit} cannot be a field", remedy))
    return found


def _group_faults(spec: FieldSpec) -> list[_Complaint]:
    found: list[_Complaint] = []
    if spec.offset is not None or spec.bit is not None:
        problem = "has a place of its own, but stands in a group, one field after another"
        found.append((("offset", "bit"), problem, "take offset and bit away"))
    if spec.when is not None:
        found.append((("when",), "has a condition of its own, but comes with its group", "take when away"))
    if spec.default is not None:
        found.append((("default",), "has a default, but a group that is there has its values", "take default away"))
    return found


def _presence_faults(spec: FieldSpec) -> list[_Complaint]:
    found: list[_Complaint] = []
    if spec.const is not None and spec.default is not None:
        found.append((("const", "default"), "has both a const and a default", "keep one of them"))
    if (spec.const is not None or spec.default is not None) and spec.when is not None:
        keys = ("const", "default", "when")
        found.append((keys, "depends on another field, yet is always sent", "take the const or default away"))
    if (spec.const is not None or spec.default is not None) and not spec.required:
        found.append((("required",), "is optional, yet always sent", "say `required = true`"))
    if spec.blank is Blank.ZEROS and spec.encoding is Encoding.SHIFT_JIS:
        found.append(
            (("blank", "encoding"), "zeros cannot stand for absent characters of two bytes", "use blank spaces")
        )
    if spec.blank is Blank.SPACES and spec.encoding in (Encoding.BCD, Encoding.BINARY):
        found.append(
            (("blank", "encoding"), f"spaces cannot stand for an absent {spec.encoding} value", "use blank zeros")
        )
    return found


def _term_faults(spec: FieldSpec) -> list[_Complaint]:
    term = VOCABULARY.get(spec.name)
    found: list[_Complaint] = []
    if term is not None and spec.value_type is not term.value_type:
        fitting = [name for name, rule in TYPES.items() if rule.value_type is term.value_type]
        problem = f"the gateway holds {spec.name} as {term.value_type.__name__}, type {spec.type} does not"
        found.append((("type",), problem, f"use one of: {', '.join(fitting)}"))
    if term is not None and spec.sensitivity is not term.sensitivity:
        problem = f"sensitivity {spec.sensitivity} is not what {spec.name} has everywhere"
        found.append((("sensitivity",), problem, f"use {term.sensitivity}"))
    if spec.name == "carried_telegram" and not (spec.type == "hex" and spec.is_variable):
        problem = "telegrams are bytes, and of many lengths"
        found.append((("type", "length_kind"), problem, "use type hex and length_kind llvar or lllvar"))
    return found


def _fact_faults(spec: FieldSpec) -> list[_Complaint]:
    """What is wrong with what the field says about its values and where that comes from."""
    found: list[_Complaint] = []
    values = [listed.value for listed in spec.values]
    for value in dict.fromkeys(value for value in values if values.count(value) > 1):
        found.append((("values",), f"lists the value {value!r} twice", "keep one of them"))
    if spec.values_closed and not values:
        remedy = "list the values, or take values_closed away"
        found.append((("values", "values_closed"), "allows listed values only, and lists none", remedy))
    if not spec.assumption and spec.source is None:
        remedy = "add source: the document, its edition and place, where this was checked"
        found.append((("assumption", "source"), "is no assumption, yet names no source", remedy))
    return found
