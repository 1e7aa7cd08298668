"""Values for any telegram, drawn as its layout allows."""

from datetime import date

from hypothesis import strategies as st
from wakaba_rig import load_wakaba

from schemas.telegrams import FieldSpec, PartnerSpec, Role, Value, load_partner, packaged
from schemas.telegrams.conditions import rules_of
from schemas.telegrams.fields import TYPES, Blank, Encoding, Pad

PARTNERS = {name: load_partner(name) for name in packaged()} | {"wakaba": load_wakaba()}
PARTNER_AND_ROLE = [(partner, role) for partner in PARTNERS.values() for role in partner.telegrams]
PACKAGED = {name: PARTNERS[name] for name in packaged()}
IDS = [f"{partner.name}-{role.value}" for partner, role in PARTNER_AND_ROLE]


def values_of(field: FieldSpec) -> st.SearchStrategy[Value]:
    if field.value_type is int:
        limit = 256**field.length if field.encoding is Encoding.BINARY else 10**field.length
        blank = not field.required and field.bit is None and field.blank is Blank.ZEROS
        return st.integers(1 if blank else 0, limit - 1)
    if field.type == "date":
        first, last = (date(1000, 1, 1), date.max) if field.length == 8 else (date(2000, 1, 1), date(2099, 12, 31))
        return st.dates(first, last).map("{:%Y%m%d}".format)
    if field.type == "time":
        return st.times().map("{:%H%M%S}".format)
    if field.type == "hex":
        least = field.min_length if field.is_variable else field.length
        return st.binary(min_size=least, max_size=field.length).map(bytes.hex)
    alphabet = KANJI if field.type == "kanji" else TYPES[field.type].alphabet
    text = st.text(alphabet, min_size=field.least, max_size=field.length)
    if field.pad is Pad.SPACE_LEFT:
        return text.filter(lambda value: value[:1] not in SPACES)
    return text.filter(lambda value: field.pad is Pad.NONE or value[-1:] not in SPACES)


SPACES = (" ", "\N{IDEOGRAPHIC SPACE}")


def _kanji() -> str:
    """Every character of JIS X 0208, by its row and cell."""
    found = []
    for row in range(0xA1, 0xFF):
        for cell in range(0xA1, 0xFF):
            try:
                found.append(bytes([row, cell]).decode("euc_jp"))
            except UnicodeDecodeError:
                continue  # nothing stands there
    return "".join(found)


KANJI = _kanji()


def _values_for(partner: PartnerSpec, role: Role) -> st.SearchStrategy[dict[str, Value]]:
    telegram = partner.telegrams[role]
    rules = rules_of(telegram.fields)
    deciding: dict[str, list[Value]] = {}
    for rule in rules:
        wanted = rule.condition.values if rule.condition.at_least is None else [rule.condition.at_least]
        deciding.setdefault(rule.condition.field, [0] if rule.condition.at_least else []).extend(wanted)
    counted = {group.count for group in telegram.groups}
    fields: dict[str, st.SearchStrategy[Value]] = {}
    for field in telegram.fields:
        if field.name in telegram.names:
            often = st.sampled_from(deciding.get(field.name, [0]))
            fields[field.name] = (
                often
                if field.name in counted
                else often | values_of(field)
                if field.name in deciding
                else values_of(field)
            )
        if field.values_closed and field.const is None:
            fields[field.name] = st.sampled_from([each.value for each in field.values])
    by_rule = {rule.field.name: rule for rule in rules}
    plain = {name: values for name, values in fields.items() if name not in by_rule}
    always = telegram.required | {
        field.name for field in telegram.fields if field.default is not None
    }  # read back, too
    required = {name: values for name, values in plain.items() if name in always}
    optional = {name: values for name, values in plain.items() if name not in always}

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Value]:
        values = draw(st.fixed_dictionaries(required, optional=optional))
        for name, rule in by_rule.items():
            if name in fields and rule.holds(values) and (rule.field.required or draw(st.booleans())):
                values[name] = draw(fields[name])
        return values

    return drawn() if by_rule else st.fixed_dictionaries(required, optional=optional)


_DRAWN = {(partner.name, role): _values_for(partner, role) for partner, role in PARTNER_AND_ROLE}


def values_for(partner: PartnerSpec, role: Role) -> st.SearchStrategy[dict[str, Value]]:
    return _DRAWN[partner.name, role]
