"""Short drills on real processes end clean; one whose evidence was tampered with does not, and says where to look."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ops.__main__ import app
from ops.chaos import Deed
from ops.commands import drill as command
from ops.courses import Manner
from ops.drills import DRILLS, NODES
from ops.evidence import collect
from ops.installations import LINES
from ops.line_faults import AT_ONCE, COUNTED, TIMED, LineFault
from ops.mixture import BAD_CENTRES, BAD_CLIENTS
from ops.money import ClientRecord, Evidence
from ops.stage import SERVICES, Stage
from schemas.telegrams import load_partner
from simulator.rules import rule_from

each_drill = pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["drill", *arguments], catch_exceptions=False)


# --- on real processes


@pytest.mark.stack
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["frozen-owner", "line-trouble"])
def test_a_short_drill_ends_with_every_payment_at_its_end(name: str) -> None:
    (drill,) = (each for each in DRILLS if each.name == name)
    ended = run(name, "--payments", "60", "--seed", "3")
    assert ended.exit_code == 0, ended.output
    for fault in drill.faults(3):
        assert fault.told() in ended.output
    assert re.search(rf"{len(drill.faults(3))} faults, .*\d+ answered", ended.output)
    assert "every payment has its end, the money is right" in ended.output


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_a_client_that_was_told_something_else_makes_the_drill_fail_and_its_story_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tampered: list[ClientRecord] = []

    def tamper(stage: Stage, clients: Sequence[ClientRecord]) -> Evidence:
        """One of the clients forgets that it was told of its approval."""
        victim = next(each for each in clients if each.told == "approved")
        tampered.append(victim)
        others = [each for each in clients if each.transaction_id != victim.transaction_id]
        return collect(stage, [*others, dataclasses.replace(victim, told=None)])

    monkeypatch.setattr(command, "collect", tamper)
    ended = run("bad-clients", "--payments", "20", "--folder", str(tmp_path))
    assert ended.exit_code == 1
    (victim,) = tampered
    assert f"3: {victim.transaction_id} stands in the partner's books, and nobody was told approved" in ended.output
    assert f"{victim.transaction_id} の経過  its story" in ended.output
    assert "RequestAccepted" in ended.output
    assert "seed 1; what the processes said, and the topics:" in ended.output
    assert (tmp_path / "logs" / "router-1.log").exists()


# --- the command


def test_a_drill_that_is_not_there_is_told_with_those_that_are() -> None:
    ended = run("earthquake")
    assert ended.exit_code == 2
    names = ", ".join(each.name for each in DRILLS)
    assert " ".join(ended.output.split()) == f"there is no drill earthquake: one of {names}"


def test_one_folder_is_not_for_many_drills(tmp_path: Path) -> None:
    ended = run("everything", "--repeat", "2", "--folder", str(tmp_path))
    assert (ended.exit_code, ended.output) == (2, "--folder is for one drill: leave it out with --repeat\n")


@pytest.mark.parametrize("flags", [("--payments", "0"), ("--repeat", "0"), ("--seed", "x")])
def test_a_wrong_flag_is_told(flags: tuple[str, str]) -> None:
    ended = run("everything", *flags)
    assert ended.exit_code == 2
    assert f"Invalid value for '{flags[0]}': " in ended.output


def test_the_list_names_every_drill() -> None:
    ended = run("--list")
    assert ended.exit_code == 0
    assert [name for each in DRILLS if (name := each.name) not in ended.output] == []


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_what_is_mixed_in_is_something_every_centre_can_do(partner: str) -> None:
    spec = load_partner(partner)
    for share in (*BAD_CLIENTS, *BAD_CENTRES):
        for each in share.rules:
            rule_from(each, spec, "a share")
    assert {share.manner for share in BAD_CLIENTS} == set(Manner) - {Manner.WAITS}


# --- the schedules


def known(target: str) -> bool:
    """Whether a stage has somebody of this name."""
    kind, _, number = target.rpartition("-")
    if kind in (*SERVICES, "node"):
        return int(number) < NODES
    return kind == "broker" or target in {line.name for line in LINES} | {line.partner for line in LINES}


@each_drill
@pytest.mark.parametrize("seed", range(20))
def test_every_fault_has_a_target_a_time_and_what_it_counts(drill: object, seed: int) -> None:
    assert isinstance(drill, type(DRILLS[0]))
    for fault in drill.faults(seed):
        assert 0 < fault.at < 1
        assert known(fault.target), fault
        if fault.target.startswith("broker-"):
            assert int(fault.target.removeprefix("broker-")) < drill.brokers
        if isinstance(fault.do, LineFault):
            assert fault.target in {line.name for line in LINES}
            assert bool(fault.amount) == (fault.do in (*COUNTED, *TIMED))
            assert bool(fault.lasts_s) == (fault.do not in AT_ONCE)
        else:
            assert fault.lasts_s > 0
            assert bool(fault.amount) == (fault.do is Deed.SLOW)


@each_drill
def test_the_same_seed_gives_the_same_faults_and_another_one_others(drill: object) -> None:
    assert isinstance(drill, type(DRILLS[0]))
    assert drill.faults(7) == drill.faults(7)
    assert not drill.faults(7) or drill.faults(7) != drill.faults(8)


def test_together_the_drills_do_everything_there_is() -> None:
    done = {
        (fault.do, fault.target.rpartition("-")[0])
        for each in DRILLS
        for seed in range(9)
        for fault in each.faults(seed)
    }
    assert {do for do, _ in done} == {*Deed, *LineFault}
    for deed in (Deed.KILL, Deed.FREEZE):
        assert {target for do, target in done if do is deed} >= {*SERVICES, "node", "broker"}
