"""The installations of this machine: every service takes them, and nothing in them is used twice."""

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import egress.__main__
import faults.__main__
import ingress.__main__
import router.__main__
from egress.config import Settings as EgressSettings
from ops.installations import DEVELOPMENT, QUICK, LinePlan, Plan, write
from ops.ports import _given, free_port, hosts_of
from pipeline.config import load
from pipeline.service import OK
from schemas.installation import Installation

MAIN: Mapping[str, Callable[[Sequence[str]], int]] = {
    "ingress": ingress.__main__.main,
    "router": router.__main__.main,
    "egress": egress.__main__.main,
    "faults": faults.__main__.main,
}


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DENBUN_")]:
        monkeypatch.delenv(name)


def ports_of(plan: Plan) -> list[int]:
    called = [line[0][1] for lines in plan.called.values() for line in lines]
    groups = ([plan.doors[0][1]], *plan.centre_ports.values(), called, plan.control_ports.values())
    return [port for group in groups for port in group]


@pytest.mark.parametrize("service", MAIN)
@pytest.mark.parametrize("waits", [None, QUICK], ids=["the development waits", "quick"])
def test_every_service_takes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], service: str, waits: Mapping[str, Any] | None
) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", prefix="x-", nodes=2, waits=waits)
    for node in range(2):
        arguments = ["--config", str(plan.file), "--node", f"node{node}", "--check"]
        arguments += ["--slot", str(node)] if service == "ingress" else []
        assert MAIN[service](arguments) == OK
    assert capsys.readouterr().out == 2 * f"{plan.file}: ok for {service}\n"
    assert not (tmp_path / "keys.json").exists()


def test_it_is_the_development_environment_with_other_addresses(tmp_path: Path) -> None:
    plan = write(tmp_path / "new" / "folder", "127.0.0.1:9093", prefix="x-")
    made, development = load(Installation, plan.file), load(Installation, DEVELOPMENT)
    assert made.kafka.bootstrap_servers == "127.0.0.1:9093"
    assert made.kafka.topic_prefix == "x-"
    assert made.keys.ring == plan.file.parent / "keys.json"
    assert made.partner == development.partner
    assert made.customer == development.customer
    for name in ("router", "faults", "egress"):
        there = getattr(development, name)
        assert getattr(made, name) == there.model_copy(update={"metrics_port": plan.metrics[f"{name}-0"][1]})


def test_what_is_quick_is_a_wait_and_nothing_else(tmp_path: Path) -> None:
    def flat(raw: Any, place: str = "") -> dict[str, Any]:
        if isinstance(raw, dict):
            return {name: value for key, each in raw.items() for name, value in flat(each, f"{place}.{key}").items()}
        return {place: raw}

    for name in flat(QUICK):
        counts = ("commands_max", "troubles_max", "unsent_max", "dials_per_minute")
        assert name.endswith("_ms") or name.rpartition(".")[2] in counts, name
    made = load(Installation, write(tmp_path, "127.0.0.1:9092", waits=QUICK).file)
    assert {partner.report_timeout_ms for partner in made.partner} == {800}


def test_the_plan_says_where_everybody_is(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2)
    made = load(Installation, plan.file)
    assert plan.doors == [("127.0.0.1", made.ingress.port), ("127.0.0.2", made.ingress.port)]
    assert made.ingress.slots == 2
    for line in made.line:
        if line.mode == "dial":
            assert plan.centre_ports[line.partner] == [line.port]
        else:
            assert plan.called[line.partner] == [[("127.0.0.1", line.port), ("127.0.0.2", line.port)]]
    assert {line.host for line in made.line} == {"127.0.0.1"}
    assert plan.customers == {"cafis": "AP02", "cardnet": "AP22"}
    assert set(plan.control_ports) == {"cafis", "cardnet"}
    for customer in made.customer:
        assert customer.accepts(plan.tokens[customer.id])


@pytest.mark.parametrize("detoured", [False, True])
def test_the_lines_of_a_partner_are_spread_over_the_nodes_each_with_its_order_of_takeover(
    tmp_path: Path, *, detoured: bool
) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2, detoured=detoured)
    for node in range(2):
        assert {line.name: line.nodes for line in load(Installation, plan.file_of(node)).line} == {
            "cafis-1": ("node0", "node1"), "cafis-2": ("node1", "node0"),
            "cardnet-1": ("node0", "node1"), "cardnet-2": ("node1", "node0"),
        }  # fmt: skip
    assert {line.nodes for line in load(Installation, write(tmp_path, "127.0.0.1:9092").file).line} == {()}


def test_every_port_station_and_company_is_given_once(tmp_path: Path) -> None:
    plans = [write(tmp_path / name, "127.0.0.1:9092", nodes=4) for name in ("a", "b")]
    ports = [port for plan in plans for port in ports_of(plan)]
    assert len(ports) == len(set(ports)) == 2 * (1 + 4 + 2)
    made = load(Installation, plans[0].file)
    assert made.ingress.slots == 4
    assert len({line.station_id for line in made.line}) == len({line.company_code for line in made.line}) == 4


def test_other_lines_may_be_asked_for(tmp_path: Path) -> None:
    lines = [LinePlan("one", "cafis", "listen", (5, 6)), LinePlan("two", "cardnet", "dial")]
    plan = write(tmp_path, "127.0.0.1:9092", lines=lines)
    made = load(Installation, plan.file)
    assert [(line.name, line.partner, line.mode, list(line.routes)) for line in made.line] == [
        ("one", "cafis", "listen", [5, 6]), ("two", "cardnet", "dial", [1, 200]),
    ]  # fmt: skip
    assert plan.centre_ports == {"cafis": [], "cardnet": [made.line[1].port]}
    assert plan.called == {"cafis": [[("127.0.0.1", made.line[0].port)]], "cardnet": []}


def test_a_line_may_be_asked_to_carry_another_partner_who_then_needs_none(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", lines=[LinePlan("mc", "cafis", "dial", carries=("cardnet",))])
    (line,) = EgressSettings.from_installation(load(Installation, plan.file)).lines
    assert line.partners == ("cafis", "cardnet")
    assert line.carries[0].company_code != line.company_code
    assert plan.centre_ports == {"cafis": [line.port], "cardnet": []}


def test_settled_it_has_the_development_ports_where_they_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.ports._given", set())
    monkeypatch.setattr("ops.ports.is_free", lambda port, _: port != 7_211)
    plan = write(tmp_path, "127.0.0.1:9092", settle=True)
    development = tomllib.loads(DEVELOPMENT.read_text("utf-8"))
    assert plan.doors == [("127.0.0.1", development["ingress"]["port"])]
    assert [line.port for line in load(Installation, plan.file).line if line.port != 7_211][::2] == [7_210, 7_212]
    assert 7_211 not in ports_of(plan)
    assert plan.control_ports == {"cafis": 7_310, "cardnet": 7_320}
    assert plan.metrics == {
        f"{name}-0": ("127.0.0.1", development[name]["metrics_port"])
        for name in ("ingress", "router", "egress", "faults")
    }
    assert plan.page_ports == {}


@pytest.mark.parametrize("taken", [7_010, 7_110, 7_130, 7_210, 7_211, 7_310, 7_390])
def test_a_settled_port_that_is_taken_is_told_with_what_is_used_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setattr("ops.ports._given", set())
    monkeypatch.setattr("ops.ports.is_free", lambda port, _: port != taken)
    said: list[str] = []
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2, settle=True, pages=True, say=said.append)
    metrics = {port for _, port in plan.metrics.values()}
    used = {*ports_of(plan), *metrics, *plan.page_ports.values()}
    assert taken not in used
    (told,) = said
    match = re.search(rf"port {taken} is taken, (\d+) is used$", told)
    assert match is not None
    assert int(match[1]) in used


def test_the_metrics_ports_in_the_files_are_those_in_use(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092", nodes=2)
    for node in range(2):
        made = load(Installation, plan.file_of(node))
        for name in ("ingress", "router", "egress", "faults"):
            there = (made.metrics_host, getattr(made, name).metrics_port)
            assert plan.metrics[f"{name}-{node}"] == there, name


@pytest.mark.parametrize(("section", "name"), [("ingress", "port"), ("router", "metrics_port")])
def test_a_port_that_the_environment_asks_for_is_used_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, name: str
) -> None:
    port = free_port()
    monkeypatch.setenv(f"DENBUN_{section}__{name}".upper(), str(port))
    plan = write(tmp_path, "127.0.0.1:9092", settle=True)
    assert port == (plan.doors[0] if section == "ingress" else plan.metrics["router-0"])[1]
    monkeypatch.setattr("ops.installations.is_free", lambda asked, _: asked != port)
    variable = f"DENBUN_{section}__{name}".upper()
    with pytest.raises(OSError, match=rf"port {port} .* is taken: end it, or change {variable}$"):
        write(tmp_path, "127.0.0.1:9092", settle=True)


def test_each_customers_token_lies_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    plan = write(tmp_path, "127.0.0.1:9092")
    for customer, file in plan.token_files.items():
        assert file.read_text("utf-8") == f"{plan.tokens[customer]}\n"
        assert file.stat().st_mode & 0o077 == 0
    assert plan.token_files.keys() == plan.tokens.keys()


# --- ports


def test_a_port_is_given_out_once_though_nobody_listens_on_it() -> None:
    port = free_port()
    assert port in _given
    assert free_port(port) != port


def test_where_a_machine_has_too_few_loopback_addresses_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hosts_of(2) == ["127.0.0.1", "127.0.0.2"]
    monkeypatch.setattr("ops.ports._host", lambda number: f"203.0.113.{number + 1}")
    told = r"^no node can have the address 203\.0\.113\.1 \(Cannot assign requested address\): add it to the loopback "
    with pytest.raises(
        OSError, match=told + r"interface \(macOS: sudo ifconfig lo0 alias 203\.0\.113\.1\), or start fewer"
    ):
        hosts_of(1)


def test_where_no_port_is_free_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.ports.is_free", lambda *_: False)
    with pytest.raises(
        OSError, match=r"^no free port of 127\.0\.0\.1 between 20000 and 32000: end what listens there$"
    ):
        free_port()
