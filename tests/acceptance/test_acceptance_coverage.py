"""What has to be shown is shown by some case, for both partners; and a case that is taken away is missed."""

import pytest
from acceptance_rig import PARTNERS, catalogue_of, partner_named

from acceptance.cases import Environment
from acceptance.coverage import coverage, demands

of_each = pytest.mark.parametrize("partner", PARTNERS)
ONLY_ON_A_STAGE = {
    "ノード障害", "縮退運転", "同時多数の要求（20 件以上）", "一覧にない結果コード",
    "別の取引の取消確認報告", "回線折返し",
}  # fmt: skip


@of_each
def test_every_demand_is_met_on_the_development_server(partner: str) -> None:
    found = coverage(catalogue_of(partner).cases, partner_named(partner))
    assert [demand.ja for demand, cases in found.items() if not cases] == []
    assert len(found) > 70


@of_each
def test_the_brand_test_meets_all_that_needs_no_stage_of_our_own(partner: str) -> None:
    found = coverage(catalogue_of(partner, Environment.BRAND).cases, partner_named(partner))
    assert {demand.ja for demand, cases in found.items() if not cases} == ONLY_ON_A_STAGE


ALONE = ("112", "210", "306", "308", "310", "312", "320", "321", "406", "408", "411", "413", "504", "601", "701", "702")


@of_each
@pytest.mark.parametrize("number", ALONE)
def test_a_case_that_alone_meets_a_demand_is_missed(partner: str, number: str) -> None:
    left = [case for case in catalogue_of(partner).cases if case.id.split("-")[2] != number]
    found = coverage(left, partner_named(partner))
    assert [demand.ja for demand, cases in found.items() if not cases]


@of_each
def test_each_demand_is_told_once(partner: str) -> None:
    texts = [demand.ja for demand in demands(partner_named(partner))]
    assert len(set(texts)) == len(texts)
