"""The installation's file: what it must say, what contradicts itself, and that every file of ours can be used."""

import copy
import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from words_rig import ours

from schemas.installation import Installation
from schemas.records import Kind

ENVIRONMENTS = Path(__file__).parents[2] / "deploy" / "environments"
DEVELOPMENT = ENVIRONMENTS / "development" / "denbun.toml"
RAW = tomllib.loads(DEVELOPMENT.read_text("utf-8"))

Change = Callable[[dict[str, Any]], object]


def load(raw: dict[str, Any], folder: Path | None = None) -> Installation:
    return Installation.model_validate(raw, context={"folder": folder})


def faults(change: Change) -> dict[str, str]:
    """What is wrong with the development file after this change, by place."""
    raw = copy.deepcopy(RAW)
    change(raw)
    with pytest.raises(ValidationError) as raised:
        load(raw)
    return {".".join(map(str, fault["loc"])): ours(fault) for fault in raised.value.errors(include_url=False)}


def test_a_customer_is_not_named_as_a_card() -> None:
    def named(raw: dict[str, Any]) -> None:
        raw["customer"][0]["id"] = "4111111111111111"

    assert faults(named) == {
        "customer.0.id": "must not pass for a card number: it is stored, logged and shown; choose another"
    }


# --- the files of this repository -----------------------------------------------------------------------------------


def files() -> list[Path]:
    found = sorted(ENVIRONMENTS.rglob("denbun.toml"))
    assert DEVELOPMENT in found
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: path.parent.name)
def test_the_file_of_every_environment_loads(path: Path) -> None:
    installation = load(tomllib.loads(path.read_text("utf-8")), path.parent)
    assert installation.keys.ring.is_absolute()
    for customer in installation.customer:
        assert set(customer.partners) <= set(Kind)
    ports = [installation.ingress.metrics_port, installation.router.metrics_port]
    ports += [installation.egress.metrics_port, installation.faults.metrics_port, installation.ingress.port]
    ports += [line.port for line in installation.line if line.mode == "listen"]
    taken = [port for port in ports if port]
    assert len(set(taken)) == len(taken)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.parent.name)
def test_only_a_development_ring_makes_itself(path: Path) -> None:
    raw = tomllib.loads(path.read_text("utf-8"))
    assert raw["keys"].get("create", False) is (path.parent.name in {"development", "demo", "containers"})


def test_the_development_tokens_are_those_that_its_comments_name() -> None:
    installation = load(RAW)
    for customer in installation.customer:
        token = f"development-token-{customer.id.lower()}"
        assert customer.accepts(token)
        assert f'"{token}"' in DEVELOPMENT.read_text("utf-8")


def test_the_ring_is_looked_for_from_the_files_folder(tmp_path: Path) -> None:
    assert load(RAW, tmp_path).keys.ring == tmp_path / RAW["keys"]["ring"]
    raw = copy.deepcopy(RAW)
    raw["keys"]["ring"] = str(tmp_path / "keys.json")
    assert load(raw, Path("/elsewhere")).keys.ring == tmp_path / "keys.json"


# --- what it gives --------------------------------------------------------------------------------------------------


def test_a_customer_accepts_its_own_token_only() -> None:
    raw = copy.deepcopy(RAW)
    raw["customer"][0]["token_sha256"] = hashlib.sha256("トークン".encode()).hexdigest()
    first, second = load(raw).customer
    assert first.accepts("トークン")
    assert not first.accepts("")
    assert not first.accepts(raw["customer"][0]["token_sha256"])
    assert not second.accepts("トークン")


def test_partners_and_lines_are_found_by_name() -> None:
    installation = load(RAW)
    assert installation.partner_named("cafis").telegrams == "cafis"
    assert installation.line_named("cardnet-1").mode == "listen"
    with pytest.raises(KeyError):
        installation.partner_named("nobody")
    with pytest.raises(KeyError):
        installation.line_named("nobody")


def test_nothing_changes_after_loading() -> None:
    installation = load(RAW)
    with pytest.raises(ValidationError, match="frozen"):
        installation.kafka.partitions = 7  # type: ignore[misc]


# --- what contradicts itself ----------------------------------------------------------------------------------------


def test_a_partner_without_a_line() -> None:
    assert faults(lambda raw: raw["line"].pop()) == {
        "": "partner cardnet has no line: add a [[line]] with partner = 'cardnet'"
    }


def test_a_line_of_an_unknown_partner() -> None:
    assert faults(lambda raw: raw["line"].append({**raw["line"][0], "name": "x", "partner": "jcn"})) == {
        "": "line x: there is no partner jcn: one of cafis, cardnet"
    }


def test_a_customer_with_an_unknown_partner() -> None:
    assert faults(lambda raw: raw["customer"][0]["partners"].update(sale="jcn")) == {
        "": "customer AP02, sale: no partner jcn: one of cafis, cardnet"
    }


@pytest.mark.parametrize(("what", "name"), [("partner", "cafis"), ("line", "cafis-1"), ("customer", "AP02")])
def test_a_name_that_stands_twice(what: str, name: str) -> None:
    def change(raw: dict[str, Any]) -> None:
        twin = copy.deepcopy(raw[what][0])
        if what == "customer":
            twin["token_sha256"] = "0" * 64
        if what == "line":
            twin["station_id"] = "DNB00099"
        raw[what].append(twin)

    assert faults(change) == {"": f"{what} {name} stands 2 times: keep one"}


def test_a_token_that_two_customers_share() -> None:
    digest = RAW["customer"][0]["token_sha256"]
    assert faults(lambda raw: raw["customer"][1].update(token_sha256=digest)) == {
        "": "customers AP02, AP22 share one token: give each its own"
    }


def test_every_contradiction_is_told_at_once() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["line"][1]["partner"] = "cafis"
        raw["customer"][1]["partners"]["refund"] = "jcn"
        raw["line"][1]["name"] = "cafis-1"

    assert faults(change)[""].split("; ") == [
        "line cafis-1 stands 2 times: keep one",
        "customer AP22, refund: no partner jcn: one of cafis, cardnet",
        "partner cardnet has no line: add a [[line]] with partner = 'cardnet'",
    ]


def test_routes_in_the_wrong_order() -> None:
    assert faults(lambda raw: raw["line"][0].update(routes=[9, 1])) == {
        "line.0": "routes: 9 is above 1: give the lower number first"
    }


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda raw: raw["kafka"].pop("bootstrap_servers"), "kafka.bootstrap_servers"),
        (lambda raw: raw["kafka"].update(bootstrap_servers=""), "kafka.bootstrap_servers"),
        (lambda raw: raw["kafka"].pop("partitions"), "kafka.partitions"),
        (lambda raw: raw["kafka"].update(partitions=0), "kafka.partitions"),
        (lambda raw: raw["kafka"].update(topic_prefix="a.b"), "kafka.topic_prefix"),
        (lambda raw: raw["kafka"].update(sesion_timeout_ms=3_000), "kafka.sesion_timeout_ms"),
        (lambda raw: raw.pop("keys"), "keys"),
        (lambda raw: raw["keys"].pop("ring"), "keys.ring"),
        (lambda raw: raw["ingress"].update(port=65_536), "ingress.port"),
        (lambda raw: raw["ingress"].update(slots=0), "ingress.slots"),
        (lambda raw: raw["ingress"].update(tls={"certificate": "c.pem"}), "ingress.tls.key"),
        (lambda raw: raw["router"].pop("confirm_ms"), "router.confirm_ms"),
        (lambda raw: raw["router"].update(confirm_ms=0), "router.confirm_ms"),
        (lambda raw: raw["faults"].pop("grace_ms"), "faults.grace_ms"),
        (lambda raw: raw["partner"].clear(), "partner"),
        (lambda raw: raw["partner"][0].pop("report_timeout_ms"), "partner.0.report_timeout_ms"),
        (lambda raw: raw["partner"][0].update(cancel={"commands_max": 1}), "partner.0.cancel.commands_max"),
        (lambda raw: raw["line"].clear(), "line"),
        (lambda raw: raw["line"][0].update(mode="call"), "line.0.mode"),
        (lambda raw: raw["line"][0].update(name="a.b"), "line.0.name"),
        (lambda raw: raw["line"][0].update(station_id="lower"), "line.0.station_id"),
        (lambda raw: raw["line"][0].update(company_code="12345678901234567"), "line.0.company_code"),
        (lambda raw: raw["line"][0].update(routes=[1]), "line.0.routes.1"),
        (lambda raw: raw["line"][0].update(routes=[0, 1_000]), "line.0.routes.1"),
        (lambda raw: raw["customer"].clear(), "customer"),
        (lambda raw: raw["customer"][0].update(id="AP 02"), "customer.0.id"),
        (lambda raw: raw["customer"][0].update(token_sha256="development-token-ap02"), "customer.0.token_sha256"),
        (lambda raw: raw["customer"][0]["partners"].update(loan="cafis"), "customer.0.partners.loan.[key]"),
        (lambda raw: raw.update(log_level="LOUD"), "log_level"),
    ],
)
def test_a_fault_names_its_place(change: Change, place: str) -> None:
    assert list(faults(change)) == [place]


def test_two_lines_of_a_partner_need_stations_of_their_own() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["line"].append(raw["line"][0] | {"name": "cafis-9"})

    text = "station_id DNB00001 stands on 2 lines of cafis, which would push each other out"
    assert faults(change) == {"": text}


def test_what_differs_between_environments_has_no_default() -> None:
    for section, name in [
        ("kafka", "bootstrap_servers"),
        ("kafka", "replication"),
        ("ingress", "host"),
        ("ingress", "port"),
        ("ingress", "metrics_port"),
        ("router", "metrics_port"),
        ("egress", "metrics_port"),
        ("faults", "metrics_port"),
        ("keys", "ring"),
    ]:

        def change(raw: dict[str, Any], section: str = section, name: str = name) -> None:
            raw[section].pop(name)

        assert faults(change) == {f"{section}.{name}": "missing"}


@pytest.mark.parametrize("name", ["partner", "line", "customer"])
def test_a_table_that_is_missing_is_shown_by_an_example_that_can_be_used(name: str) -> None:
    (example,) = Installation.model_fields[name].examples or ()
    heading, _, values = str(example).partition(" with ")
    assert heading == f"[[{name}]]"
    digest = hashlib.sha256(b"x").hexdigest()
    table = tomllib.loads(f"x = {{ {values.replace('<SHA-256 of its token>', digest)} }}")["x"]
    raw = copy.deepcopy(RAW)
    raw[name] = [table, *(each for each in raw[name] if each.get("name", each.get("id")) not in table.values())]
    load(raw)
