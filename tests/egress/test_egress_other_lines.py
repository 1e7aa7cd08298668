"""A report that comes over the wrong line of its partner ends no telegram there, though both lines count alike."""

import pytest
from test_egress_core import MIDNIGHT, Rig

from egress.acts import Tell
from schemas.records import ReportReceived, StrayTelegram
from schemas.telegrams import Role

OTHER_LINES_COMPANY = "100002"


def in_flight() -> Rig:
    """A line with a sale on it."""
    rig = Rig()
    for now, event in ((0, "opened"), (0, "ask a"), (1, "stored")):
        rig.play(event, now)
    return rig


def error_report(rig: Rig, company_code: str) -> bytes:
    """異常報告 about the sale's numbers."""
    asked = rig.last["a"].values
    values = rig.partner.telegrams[Role.ERROR_REPORT].sample()
    values |= {name: asked[name] for name in ("trace_number", "route_number", "business_date")}
    return rig.partner.encode(Role.ERROR_REPORT, values | {"company_code": company_code})


@pytest.mark.parametrize(
    ("company_code", "told"),
    [("100001", ReportReceived), (OTHER_LINES_COMPANY, StrayTelegram)],
    ids=["its own", "other"],
)
def test_an_error_report_ends_the_request_of_its_own_line_alone(company_code: str, told: type) -> None:
    rig = in_flight()
    acts = rig.core.received(error_report(rig, company_code), MIDNIGHT + 50)
    assert [type(act.record) for act in acts if isinstance(act, Tell)] == [told]


@pytest.mark.parametrize(
    ("company_code", "told"),
    [("100001", ReportReceived), (OTHER_LINES_COMPANY, StrayTelegram)],
    ids=["its own", "other"],
)
def test_a_report_of_the_same_numbers_terminal_and_amount_too(company_code: str, told: type) -> None:
    rig = in_flight()
    asked = rig.last["a"].values
    report = rig.partner.telegrams[Role.SALE_REPORT]
    values = report.sample() | {name: value for name, value in asked.items() if name in report.names}
    del values["error_code"]  # which an approval has not
    payload = rig.partner.encode(Role.SALE_REPORT, values | {"company_code": company_code})
    acts = rig.core.received(payload, MIDNIGHT + 50)
    assert [type(act.record) for act in acts if isinstance(act, Tell)] == [told]
