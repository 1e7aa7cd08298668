"""The packaged layouts: every telegram of every partner, by its own samples."""

from pathlib import Path

import pytest

from schemas.telegrams import REPORT_OF, PartnerSpec, Role, building, load_partner, packaged
from schemas.telegrams.fields import TYPES

PARTNERS = {name: load_partner(name) for name in packaged()}
EVERY = [
    pytest.param(PARTNERS[name], role, id=f"{name}-{role}") for name in PARTNERS for role in PARTNERS[name].telegrams
]


@pytest.mark.parametrize(("partner", "role"), EVERY)
@pytest.mark.parametrize("optional", [True, False])
def test_what_is_encoded_decodes_to_the_same_values(partner: PartnerSpec, role: Role, *, optional: bool) -> None:
    values = partner.telegrams[role].sample(optional=optional)
    message = partner.decode(partner.encode(role, values))
    assert (message.role, message.values) == (role, values)


@pytest.mark.parametrize("partner", PARTNERS.values(), ids=PARTNERS)
@pytest.mark.parametrize("request_role", REPORT_OF)
def test_a_report_has_the_match_key_of_its_request(partner: PartnerSpec, request_role: Role) -> None:
    report_role = REPORT_OF[request_role]
    request, report = partner.telegrams[request_role].sample(), partner.telegrams[report_role].sample()
    assert partner.match_key(request_role, request) == partner.match_key(report_role, report)
    other = report | {"trace_number": 1}
    assert partner.match_key(request_role, request) != partner.match_key(report_role, other)
    error = partner.telegrams[Role.ERROR_REPORT].sample()
    assert partner.error_key(request) == partner.match_key(Role.ERROR_REPORT, error)


def test_what_is_left_out_of_a_field_is_what_the_document_says() -> None:
    text = (Path(__file__).parents[3] / "docs" / "layouts.md").read_text("utf-8")
    assert "Left out: `zero_left` for the types `number` and `amount`, `none` for all others" in text
    assert "Left out: `zeros` in the encodings `bcd` and `binary`, `spaces` in all others" in text
    for name, rule in TYPES.items():
        for encoding in rule.encodings:
            made = building._with_defaults({"type": name, "encoding": encoding}, "1")
            assert made["pad"] == ("zero_left" if name in {"number", "amount"} else "none"), name
            assert made["blank"] == ("zeros" if encoding in {"bcd", "binary"} else "spaces"), encoding
