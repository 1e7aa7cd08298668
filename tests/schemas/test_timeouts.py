"""Every wait of the configuration stands in the table, with its default; what contradicts itself is refused."""

import copy
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from words_rig import ours

from ops.installations import QUICK
from schemas.installation import Installation
from schemas.timeouts import RETRIES, TABLE, fields, markdown

ROOT = Path(__file__).parents[2]
RAW = tomllib.loads((ROOT / "deploy" / "environments" / "development" / "denbun.toml").read_text("utf-8"))
SERVICES = {"services", "ingress", "router", "egress", "faults", "client", "broker"}


# --- the table ------------------------------------------------------------------------------------------------------


def test_every_wait_of_the_configuration_is_in_the_table_and_nothing_else_is() -> None:
    names = [wait.name for wait in TABLE]
    assert sorted(names) == sorted(name for name, _ in fields())
    source = (ROOT / "schemas" / "installation.py").read_text("utf-8")
    written = re.findall(r"^    ([a-z_]+_ms): ", source, re.MULTILINE)
    assert {name.rpartition(".")[2] for name in names} == set(written), "a field that is not found"


def test_every_row_says_whose_it_is_what_follows_and_where() -> None:
    for wait in TABLE:
        assert wait.owner in SERVICES, wait.name
        assert wait.then, wait.name
        where = (ROOT / wait.where).read_text("utf-8")
        assert wait.where.endswith("/core.py") or wait.name.rpartition(".")[2] in where, wait.name


def test_what_is_tried_again_names_where_and_a_payment_never_is() -> None:
    assert RETRIES[0].what == "a payment"
    assert RETRIES[0].how.startswith("never")
    known = {name for name, _ in fields()}
    for retry in RETRIES:
        assert (ROOT / retry.where).is_file(), retry.what
        for name in re.findall(r"`([a-z.]+_ms)`", retry.knob):
            assert name in known or name == "wait_ms", retry.what


def test_the_documentations_table_has_the_defaults_of_the_configuration() -> None:
    told = {}
    for line in markdown().split("\n\n")[0].splitlines()[2:]:
        name, default, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        told[name] = default
    units = {"ms": 1, "s": 1_000, "min": 60_000, "d": 86_400_000}
    for name, field in fields():
        if field.is_required():
            assert told[name] == "none: give it"
        else:
            number, unit = told[name].split()
            assert int(number) * units[unit] == field.default, name


# --- the rules ------------------------------------------------------------------------------------------------------


def told(changes: Mapping[str, int]) -> str:
    """What is wrong with the development file with these values; a number names one of several sections."""
    raw = copy.deepcopy(RAW)
    for name, value in changes.items():
        place: Any = raw
        *sections, last = name.split(".")
        for section in sections:
            place = place[int(section)] if section.isdecimal() else place.setdefault(section, {})
        place[last] = value
    try:
        Installation.model_validate(raw)
    except ValidationError as error:
        (fault,) = error.errors(include_url=False)
        return ours(fault)
    return ""


NEEDS = (
    "(its send_window_ms + report_timeout_ms + router.report_grace_ms + 1000): no client could wait for the end of its "
    "request; raise the one or lower the others"
)
LOOKS = (
    "egress.look_back_ms is 63999, telegrams of partner {} are valid for 60000 (and 4 times clock_tolerance_ms 1000 is "
    "kept for brokers' clocks): a new owner of a line would not know telegrams that may still be valid; raise it to "
    "64000"
)
USED_UP = {
    "clock_tolerance_ms": 2_500,
    "router.report_grace_ms": 2_500,
    "router.confirm_grace_ms": 2_500,
    "router.confirm_ms": 2_500,
    "faults.grace_ms": 2_500,
}
# What is just sound, what is just not, and what is said of it.
RULES: dict[str, tuple[dict[str, int], dict[str, int], str]] = {
    "a client that cannot wait for its partner": (
        {"ingress.wait_max_ms": 31_000},
        {"ingress.wait_max_ms": 30_999},
        "; ".join(f"ingress.wait_max_ms is 30999, partner {each} needs 31000 {NEEDS}" for each in ("cafis", "cardnet")),
    ),
    "a partner that is slower than any client may wait": (
        {"partner.1.report_timeout_ms": 49_000},
        {"partner.1.report_timeout_ms": 49_001},
        f"ingress.wait_max_ms is 60000, partner cardnet needs 60001 {NEEDS}",
    ),
    "a death that is noticed after its requests were given up": (
        {"kafka.session_timeout_ms": 30_000, "partner.0.report_timeout_ms": 20_001, "partner.1.send_window_ms": 5_001,
         "partner.0.cancel.send_window_ms": 30_001, "partner.1.cancel.send_window_ms": 30_001},
        {"kafka.session_timeout_ms": 30_000, "partner.1.send_window_ms": 5_001,
         "partner.0.cancel.send_window_ms": 30_001, "partner.1.cancel.send_window_ms": 30_001},
        (
            "kafka.session_timeout_ms is 30000, partner cafis's requests are given up after 30000 (send_window_ms + "
            "report_timeout_ms + router.report_grace_ms): a line of a node that died would be taken over too late for "
            "all of them; lower it"
        ),
    ),
    "a cancel that cannot wait for the next owner of its line": (
        {"partner.0.cancel.send_window_ms": 2_001},
        {"partner.0.cancel.send_window_ms": 2_000},
        (
            "partner cafis: cancel.send_window_ms is 2000, not more than kafka.session_timeout_ms 2000: a cancel could "
            "not wait for the next owner of its line; raise it"
        ),
    ),
    "a request that is too late before it is read": (
        {"clock_tolerance_ms": 1_999, "partner.0.send_window_ms": 2_000},
        {"clock_tolerance_ms": 2_000, "partner.0.send_window_ms": 2_000},
        (
            "partner cafis: send_window_ms is 2000, not more than clock_tolerance_ms 2000: a request could be too late "
            "before it is read; raise the one or lower the other"
        ),
    ),
    **{
        f"a wait that clocks can use up: {name}": (
            USED_UP,
            {**USED_UP, name: 2_499},
            f"{name} is 2499, less than clock_tolerance_ms 2500: {harm}; raise it",
        )
        for name, harm in (
            ("router.report_grace_ms", "a request would be given up while its report may come"),
            ("router.confirm_grace_ms", "a reply would be given up while it may be confirmed"),
            ("router.confirm_ms", "no client could confirm in time"),
            ("faults.grace_ms", "a command would be repeated while its answer may come"),
        )
    },
    "an owner of a line that does not know what is still valid": (
        {"egress.look_back_ms": 64_000},
        {"egress.look_back_ms": 63_999},
        "; ".join(LOOKS.format(each) for each in ("cafis", "cardnet")),
    ),
    "a cancel that outlasts the memory of its line": (
        {"egress.look_back_ms": 79_000, "partner.1.cancel.report_timeout_ms": 45_000},
        {"egress.look_back_ms": 78_999, "partner.1.cancel.report_timeout_ms": 45_000},
        LOOKS.format("cardnet").replace("63999", "78999").replace("60000", "75000").replace("64000", "79000"),
    ),
    "a client that comes back too late to confirm": (
        {"router.confirm_ms": 2_001},
        {"router.confirm_ms": 2_000},
        (
            "router.confirm_ms is 2000, not more than ingress.gone_after_ms 2000: a client that comes back in time "
            "could not confirm any more; raise the one or lower the other"
        ),
    ),
    "a transaction that is forgotten while its client still sends it again": (
        {"router.remember_ms": 60_001},
        {"router.remember_ms": 60_000},
        (
            "router.remember_ms is 60000, not more than ingress.wait_max_ms 60000: a request that its client sends "
            "again would be taken for a new one, and paid twice; raise it"
        ),
    ),
    "a probe that outlasts the quiet it ends": (
        {"egress.probe_idle_ms": 5_001},
        {"egress.probe_idle_ms": 5_000},
        (
            "egress.probe_idle_ms is 5000, not more than egress.probe_timeout_ms 5000: a line would be probed again "
            "before the first probe is given up; raise it"
        ),
    ),
    "a wait that ends before it begins": (
        {"egress.reconnect_max_ms": 500},
        {"egress.reconnect_max_ms": 499},
        (
            "egress.reconnect_max_ms is 499, less than egress.reconnect_ms 500: the wait before a call begins with the "
            "one and ends with the other; raise it"
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_a_rule_refuses_what_contradicts_itself_and_nothing_more(name: str) -> None:
    sound, unsound, said = RULES[name]
    assert told(sound) == ""
    assert told(unsound) == said


def test_every_contradiction_of_waits_is_told_at_once_beside_the_others() -> None:
    changes = {"router.confirm_ms": 1, "egress.probe_idle_ms": 1, "partner.1.cancel.send_window_ms": 1}
    found = told(changes)
    assert [part for part in ("cardnet: cancel.send_window_ms", "router.confirm_ms", "egress.probe_idle_ms")
            if f"{part} is 1, not more than" in found] == [
        "cardnet: cancel.send_window_ms", "router.confirm_ms", "egress.probe_idle_ms",
    ]  # fmt: skip


def test_the_quick_waits_of_the_demonstration_are_sound() -> None:
    raw = copy.deepcopy(RAW)
    for section, values in QUICK.items():
        for place in raw[section] if isinstance(raw[section], list) else [raw[section]]:
            place.update(values)
    assert Installation.model_validate(raw).router.confirm_ms == QUICK["router"]["confirm_ms"]
