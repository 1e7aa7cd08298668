"""A recorded run for tests: telegrams encoded by the codec, as a recording centre would have kept them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from acceptance.cards import CARDS
from acceptance.cases import Case, Environment
from acceptance.catalogue import Catalogue, load_catalogue
from acceptance.record import Done, Observation, Side, StepDone, Telegram, Told
from acceptance.telling import told_step
from acceptance.words import IN, OUT
from ops.acceptance_sides import telegram_of
from schemas.telegrams import PartnerSpec, Role, Value, load_partner

PARTNERS = ("cafis", "cardnet")
COUNTS = {"lines": 2, "recommands": 3, "troubles": 2}
LINES = {"MCTR0001": "cafis-1"}
_BEGAN_MS = 1_795_000_000_000


@cache
def partner_named(name: str) -> PartnerSpec:
    return load_partner(name)


@cache
def catalogue_of(partner: str, environment: Environment = Environment.DEV) -> Catalogue:
    return load_catalogue(partner_named(partner), environment)


def case_of(case_id: str) -> Case:
    """A packaged case, by its id."""
    partner = {"CAF": "cafis", "CDN": "cardnet"}[case_id[:3]]
    environment = {"D": Environment.DEV, "B": Environment.BRAND, "P": Environment.PRODUCTION}[case_id[4]]
    (found,) = [case for case in catalogue_of(partner, environment).cases if case.id == case_id]
    return found


def passed(partner: PartnerSpec, way: str, role: Role, **values: Value) -> Telegram:
    """A telegram that passed, as the evidence keeps it: the layout's samples with these values."""
    telegram = partner.telegrams[role]
    every: dict[str, Value] = {
        **telegram.sample(optional=False),
        **{k: v for k, v in values.items() if k in telegram.names},
    }
    row: Mapping[str, Any] = {
        "way": way, "role": str(role), "station": "MCTR0001", "data": partner.encode(role, every).hex(),
        "at_ms": _BEGAN_MS, "trace_number": every["trace_number"], "route_number": every["route_number"],
    }  # fmt: skip
    return telegram_of(partner, row, LINES)


def observed(partner: PartnerSpec, case: Case, **changed: Any) -> Observation:
    """Case 306 as it should be: two silences, then 8960."""
    original = {
        "original_trace_number": 53, "original_route_number": 7, "original_business_date": "20261128",
        "original_type_code": partner.type_code(Role.SALE_REQUEST), "business_date": "20261128", "route_number": 7,
        "amount": 3_060, "terminal_id": "4980000000043",
    }  # fmt: skip
    sale: dict[str, Value] = {
        "pan": CARDS["visa"].number, "amount": 3_060, "trace_number": 53, "route_number": 7,
        "business_date": "20261128",
    }  # fmt: skip
    code = next(each.code for each in partner.result_codes.values() if each.outcome == "approved")
    telegrams = (
        passed(partner, OUT, Role.SALE_REQUEST, **sale),
        passed(partner, OUT, Role.FAULT_CONFIRM, trace_number=59, **original),
        passed(partner, OUT, Role.FAULT_CONFIRM_AGAIN, trace_number=72, **original),
        passed(partner, IN, Role.FAULT_CONFIRM_REPORT, trace_number=72, result_code=code, **original),
    )
    steps = tuple(
        StepDone(done=Done.DONE, at_ms=_BEGAN_MS, ja=told_step(step, partner).ja, en=told_step(step, partner).en)
        for step in case.steps
    )
    told = Told(
        name="a", kind="sale", reference=f"{case.id}.x.a", amount=3_060, at_once="being_cancelled", at_last="cancelled"
    )  # fmt: skip
    right = Observation(
        side=Side.PARTNER, counts=COUNTS, started_ms=_BEGAN_MS, ended_ms=_BEGAN_MS + 1_800, steps=steps, told=(told,),
        telegrams=telegrams, stands=(), balance=0, attention=(), held=("a",), still_held=(), violations=(),
    )  # fmt: skip
    return msgspec.structs.replace(right, **changed)
