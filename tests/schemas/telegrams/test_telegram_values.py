"""Fields with a closed list of values: any other is refused, both ways, and told by nobody."""

import shutil
from pathlib import Path

import pytest

import schemas.telegrams
from schemas.telegrams import DecodeError, EncodeError, PartnerSpec, Role, load_partner, packaged

PACKAGE = Path(schemas.telegrams.__file__).parent
SAID = "sale_request, field payment_method{}: is not one of the values the layout lists"


@pytest.fixture(params=packaged())
def closed(request: pytest.FixtureRequest, tmp_path: Path) -> PartnerSpec:
    """A packaged partner who takes the listed payment methods only."""
    place = Path(shutil.copytree(PACKAGE / request.param, tmp_path / request.param))
    fields = place / "fields.toml"
    text = fields.read_text("utf-8")
    mark = 'japanese = "支払区分"'
    assert mark in text
    fields.write_text(text.replace(mark, f"values_closed = true\n{mark}"), "utf-8")
    return load_partner(place)


def test_each_listed_value_passes(closed: PartnerSpec) -> None:
    listed = closed.telegrams[Role.SALE_REQUEST].field("payment_method").values
    assert len(listed) > 1
    for each in listed:
        values = closed.telegrams[Role.SALE_REQUEST].sample(optional=False) | {"payment_method": each.value}
        assert closed.decode(closed.encode(Role.SALE_REQUEST, values)).values == values


def test_any_other_is_refused_both_ways(closed: PartnerSpec) -> None:
    open_one = load_partner(closed.name)
    values = open_one.telegrams[Role.SALE_REQUEST].sample(optional=False) | {"payment_method": "77"}
    with pytest.raises(EncodeError) as refused:
        closed.encode(Role.SALE_REQUEST, values)
    assert str(refused.value).endswith(SAID.format(""))
    data = open_one.encode(Role.SALE_REQUEST, values)
    at = next(part.offset for part in open_one.dissect(data) if part.field and part.field.name == "payment_method")
    with pytest.raises(DecodeError) as refused_too:
        closed.decode(data)
    assert str(refused_too.value).endswith(SAID.format(f" at byte {at}"))


def test_what_does_not_even_fit_is_told_first(closed: PartnerSpec) -> None:
    values = closed.telegrams[Role.SALE_REQUEST].sample(optional=False) | {"payment_method": "7"}
    with pytest.raises(EncodeError, match="has 1 characters where 2 belong"):
        closed.encode(Role.SALE_REQUEST, values)
