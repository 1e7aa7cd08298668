"""Short drills on real processes end clean; one whose evidence was tampered with does not, and says where to look."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from ops.__main__ import app
from ops.chaos import OWNER, OWNERS_NODE, Deed, Fault, Moment
from ops.commands import drill as command
from ops.courses import Manner
from ops.drill_schedules import NODES
from ops.drills import DRILLS, drill_named, with_windows
from ops.evidence import collect
from ops.happenings import Happened, Happening
from ops.installations import LINES
from ops.line_faults import AT_ONCE, COUNTED, TIMED, LineFault
from ops.mixture import BAD_CENTRES, BAD_CLIENTS
from ops.money import ClientRecord, Evidence, Finding
from ops.stage import SERVICES, Stage
from schemas.business_hours import Calendar
from schemas.records import LineStage
from schemas.telegrams import load_partner
from simulator.rule_files import rule_from

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
@pytest.mark.parametrize("name", ["line-owner-death", "second-call", "calendar", "breaker", "cut-off", "flood"])
def test_in_a_drill_of_lines_everything_happens_that_it_is_about(name: str) -> None:
    drill = drill_named(name)
    assert drill is not None
    ended = run(name, "--payments", "240", "--seed", "3")
    assert ended.exit_code == 0, ended.output
    told = " ".join(ended.output.split())
    for happening, least in drill.wants.items():
        found = re.search(rf"(\d+) × {happening} \(at least {least}\)", told)
        assert found is not None, happening
        assert int(found[1]) >= least


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


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_the_habits_of_a_drill_are_something_every_centre_can_do(partner: str) -> None:
    for habit in [habit for drill in DRILLS for habit in drill.habits]:
        rule_from(habit, load_partner(partner), "a habit")


def test_a_drill_in_which_something_did_not_happen_is_not_clean() -> None:
    wants = {Happening.SECOND_REFUSED: 2}
    met = [Happened(Happening.SECOND_REFUSED, "cafis-2"), Happened(Happening.SECOND_TAKEN, "cardnet-1")]
    right = [Finding(1, "", "")]
    assert command.Outcome(wants=wants, happened=[*met, met[0]], findings=right).good
    missed = command.Outcome(wants=wants, happened=met, findings=right)
    assert missed.offences() == ["a second call was refused: 1 of 2 times, so this drill shows nothing about it"]
    late = Fault(0.1, Deed.KILL, "cafis-1", 4.0, when=LineStage.OPENING)
    assert command.Outcome(missed=[late]).offences() == [
        "cafis-1: kill -9 for 4.0 s, as soon as it is opening: it never was, so this drill shows nothing about it"
    ]
    assert not command.Outcome(misused=["a payment"], findings=right).good
    assert command.Outcome(aborted=["egress-0 was ended by SIGABRT"], findings=right).offences() == [
        "egress-0 was ended by SIGABRT"
    ]


# --- the schedules


def known(target: str) -> bool:
    """Whether a stage has somebody of this name."""
    target = target.removeprefix(OWNER).removeprefix(OWNERS_NODE)
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
            assert bool(fault.amount) == (fault.do in (Deed.SLOW, Deed.CLOCK))


@each_drill
@pytest.mark.parametrize("seed", range(20))
def test_who_waits_for_a_moment_of_a_line_names_the_line_and_keeps_its_place(drill: object, seed: int) -> None:
    assert isinstance(drill, type(DRILLS[0]))
    waiting = [fault for fault in drill.faults(seed) if fault.when is not None]
    for fault in waiting:
        assert fault.when is Moment.CALM or fault.line in {line.name for line in LINES}
    assert len({fault.at for fault in waiting}) == len(waiting), "they are done one after the other"
    assert not [fault for fault in drill.faults(seed) if fault.when is None and fault.line != fault.target]


def test_maintenance_closes_its_lines_from_its_time_on_for_as_long_as_it_lasts_and_no_other() -> None:
    faults = [Fault(0.1, Deed.MAINTENANCE, "cafis-1", 2.5), Fault(0.5, Deed.MAINTENANCE, "cardnet", 1.0)]
    begins_s = 1_775_000_000.25
    lines = {line.name: line for line in with_windows(LINES, faults, begins_s, 20.0)}
    closed_ms = {
        "cafis-1": (2_000, 4_500),
        "cafis-2": None,
        "cardnet-1": (10_000, 11_000),
        "cardnet-2": (10_000, 11_000),
    }
    for name, closed in closed_ms.items():
        calendar = Calendar.of((), lines[name].maintenance)
        for after_ms in range(0, 20_000, 250):
            due = calendar.due(int(begins_s * 1_000) + after_ms).open
            assert due is not (closed is not None and closed[0] <= after_ms < closed[1]), (name, after_ms)


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
