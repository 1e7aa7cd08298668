"""Values for any telegram, drawn as its layout allows."""

from datetime import date

from hypothesis import strategies as st

from schemas.telegrams import FieldSpec, PartnerSpec, Role, Value, load_partner, packaged
from schemas.telegrams.fields import TYPES, Encoding, Pad

PARTNERS = {name: load_partner(name) for name in packaged()}
PARTNER_AND_ROLE = [(partner, role) for partner in PARTNERS.values() for role in partner.telegrams]
IDS = [f"{partner.name}-{role.value}" for partner, role in PARTNER_AND_ROLE]


def values_of(field: FieldSpec) -> st.SearchStrategy[Value]:
    if field.value_type is int:
        limit = 256**field.length if field.encoding is Encoding.BINARY else 10**field.length
        return st.integers(0, limit - 1)
    if field.type == "date":
        first, last = (date(1000, 1, 1), date.max) if field.length == 8 else (date(2000, 1, 1), date(2099, 12, 31))
        return st.dates(first, last).map("{:%Y%m%d}".format)
    if field.type == "time":
        return st.times().map("{:%H%M%S}".format)
    if field.type == "hex":
        least = field.min_length if field.is_variable else field.length
        return st.binary(min_size=least, max_size=field.length).map(bytes.hex)
    least = field.min_length if field.is_variable or field.pad is Pad.SPACE_RIGHT else field.length
    text = st.text(TYPES[field.type].alphabet, min_size=least, max_size=field.length)
    return text.filter(lambda value: field.pad is Pad.NONE or not value.endswith(" "))


def _values_for(partner: PartnerSpec, role: Role) -> st.SearchStrategy[dict[str, Value]]:
    telegram = partner.telegrams[role]
    fields = {field.name: values_of(field) for field in telegram.fields if field.name in telegram.names}
    required = {name: values for name, values in fields.items() if name in telegram.required}
    optional = {name: values for name, values in fields.items() if name not in telegram.required}
    return st.fixed_dictionaries(required, optional=optional)


_DRAWN = {(partner.name, role): _values_for(partner, role) for partner, role in PARTNER_AND_ROLE}


def values_for(partner: PartnerSpec, role: Role) -> st.SearchStrategy[dict[str, Value]]:
    return _DRAWN[partner.name, role]
