"""What a partner's telegrams cannot take is turned away at the door, and the reference is not used up."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gateway_rig import TOKEN, RawClient, gateway, request_fields
from loop_rig import in_loop
from test_ingress_refusals import told

from ingress.config import Settings
from ingress.layouts import Layouts
from pipeline.config import load
from schemas.client_frames import Card, Rejection, Request
from schemas.installation import Customer, Installation
from schemas.records import Kind
from schemas.telegrams import PartnerSpec, load_partner

ROOT = Path(__file__).parents[2]
CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
NOW_MS = 1_788_231_600_000  # 2026-09-01 12:00 in Japan
LETTERS = "terminal_id character 1 is not allowed in type digits, in the telegrams of cafis"


def customer(**partners: str) -> Customer:
    return Customer(
        id="AP02", token_sha256="0" * 64, partners={Kind(kind): partner for kind, partner in partners.items()}
    )


def asked(**changes: Any) -> Request:
    fields = {**request_fields("r-1"), **changes}
    del fields["type"]
    return Request(**{**fields, "card": Card(**fields["card"])})


def follow_up(**changes: Any) -> Request:
    return asked(kind="cancel", original_reference="r-0", **changes)


@pytest.mark.parametrize(
    ("contract", "request_", "fault"),
    [
        (customer(sale="cafis"), asked(), None),
        (customer(sale="cafis"), asked(terminal_id="A98"), LETTERS),
        (customer(sale="cardnet", refund="cafis"), asked(kind="sale"), None),
        (customer(refund="cafis"), asked(terminal_id="A98"), None),  # no contract: the router says so
        (customer(sale="elsewhere"), asked(terminal_id="A98"), None),
        (customer(cancel="cafis"), follow_up(terminal_id="A98"), LETTERS),
    ],
)
def test_the_partner_of_the_contract_says_what_it_takes(
    contract: Customer, request_: Request, fault: str | None
) -> None:
    assert Layouts({"cafis": CAFIS, "cardnet": CARDNET}).fault(contract, request_, NOW_MS) == fault


def test_a_follow_up_is_turned_away_when_no_partner_takes_it() -> None:
    lenient = _lenient(CAFIS)
    layouts = Layouts({"cafis": CAFIS, "cardnet": lenient})
    assert layouts.fault(customer(sale="cardnet", cancel="cafis"), follow_up(terminal_id="A98"), NOW_MS) is None
    moved = customer(sale="cafis", cancel="cafis")  # its sales went to cardnet before, and are cancelled there
    assert layouts.fault(moved, follow_up(terminal_id="A98"), NOW_MS) is None
    assert Layouts({"cafis": CAFIS}).fault(moved, follow_up(terminal_id="A98"), NOW_MS) == LETTERS


def _lenient(partner: PartnerSpec) -> PartnerSpec:
    """A partner that takes everything."""
    return msgspec.structs.replace(partner, telegrams={}, name="cardnet")


def test_the_edition_of_the_business_date_in_japan_says_what_it_takes() -> None:
    dates: list[str] = []

    class Partner:
        def on(self, business_date: str) -> PartnerSpec:
            dates.append(business_date)
            return CAFIS if business_date < "20260902" else _lenient(CAFIS)

    layouts = Layouts({"cafis": Partner()})  # type: ignore[dict-item]
    midnight_ms = NOW_MS + 12 * 3_600_000
    contract = customer(sale="cafis")
    assert layouts.fault(contract, asked(terminal_id="A98"), midnight_ms - 1) == LETTERS
    assert layouts.fault(contract, asked(terminal_id="A98"), midnight_ms) is None
    assert dates == ["20260901", "20260902"]


@in_loop
async def test_the_client_hears_field_and_rule_and_may_use_its_reference(tmp_path: Path) -> None:
    known = Customer(id="AP02", token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), partners={Kind.SALE: "cafis"})
    async with gateway(tmp_path, customers={"AP02": known}, layouts=Layouts({"cafis": CAFIS})) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1", terminal_id="A98")
        assert await client.receive() == told(Rejection.INVALID_REQUEST, LETTERS, reference="r-1")
        assert rig.records("requests") == []
        await client.answered("r-1")
        await client.close()


def test_every_environment_loads_the_layouts_of_its_partners() -> None:
    installation = load(Installation, ROOT / "deploy/environments/development/denbun.toml")
    settings = Settings.from_installation(installation)
    contract = next(each for each in installation.customer if Kind.SALE in each.partners)
    assert settings.layouts.fault(contract, asked(), NOW_MS) is None
    unsound = asked(terminal_id="端末")
    assert "terminal_id" in (settings.layouts.fault(contract, unsound, NOW_MS) or "")
