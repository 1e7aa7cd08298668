"""What goes on in a centre, for people; and the record of what went on."""

from typing import TYPE_CHECKING, Any

import msgspec

from simulator.centre import Centre
from simulator.rules import Rule
from simulator.scenario import written

if TYPE_CHECKING:
    from simulator.server import CentreServer


class LineState(msgspec.Struct, frozen=True):
    """One connection: its station, whether that is open, and from where to where it goes."""

    number: int
    station: str
    open: bool
    here: str
    there: str
    called: bool  # by the centre; else the gateway called


class RuleState(msgspec.Struct, frozen=True):
    """A rule in force, card numbers masked, and how many telegrams it has decided."""

    rule: dict[str, Any]
    hits: int


class State(msgspec.Struct, frozen=True):
    """What goes on."""

    partner: str
    japanese: str
    scenario: str
    scenario_japanese: str
    scenario_english: str
    since_s: float  # it began
    destination: str  # destination_up or destination_down
    refuse_opening: bool
    listening: bool
    listen: list[int]
    lines: list[LineState]
    rules: list[RuleState]
    no_rule: int  # telegrams that no rule decided
    replay_left: int  # recorded telegrams that have not come again yet
    recorded: int
    not_recorded: int  # because the record was full
    load: dict[str, int]  # queued, slowed, refused, dropped
    counters: dict[str, int]
    entries: int
    balance: int  # yen
    violations: int
    suspicions: int


def state_of(server: "CentreServer", centre: Centre) -> State:
    """The state of a centre, and of the lines it shares."""
    conduct, ledger, scenario = centre.conduct, centre.ledger, centre.conduct.scenario
    recorder = conduct.recorder
    return State(
        partner=centre.partner.name,
        japanese=centre.partner.japanese,
        scenario=scenario.name,
        scenario_japanese=scenario.japanese,
        scenario_english=scenario.english,
        since_s=round(conduct.since_s(server.now()), 1),
        destination=conduct.destination,
        refuse_opening=conduct.refuse_opening,
        listening=server.listening,
        listen=server.listen_ports,
        lines=server.lines(),
        rules=[RuleState(_shown(centre, each.rule), each.hits) for each in conduct.rules.in_force],
        no_rule=conduct.rules.others,
        replay_left=conduct.replay.left,
        recorded=0 if recorder is None else recorder.count,
        not_recorded=0 if recorder is None else recorder.missed.total(),
        load=dict(conduct.load.counters),
        counters=dict(centre.counters),
        entries=ledger.count,
        balance=ledger.balance(),
        violations=len(ledger.violations),
        suspicions=len(ledger.suspicions),
    )


def _shown(centre: Centre, rule: Rule) -> dict[str, Any]:
    raw: dict[str, Any] = msgspec.to_builtins(rule)
    if rule.pan is None:
        return raw
    shown = _beginning(rule.pan) if rule.pan.endswith("*") else centre.partner.masked({"pan": rule.pan})["pan"]
    return {**raw, "pan": shown}


def record_of(centre: Centre, name: str) -> dict[str, Any]:
    """What happened since the scenario began, as a scenario; what was not recorded is decided by its rules again."""
    conduct = centre.conduct
    raw = written(conduct.scenario)
    raw |= {
        "name": name,
        "japanese": f"記録（{conduct.scenario.japanese or conduct.scenario.name}）",
        "english": f"record of {conduct.scenario.name}",
    }
    for section in ("event", "recorded"):
        raw.pop(section, None)
    rules = [msgspec.to_builtins(each) for each in conduct.rules]
    raw["rule"] = [{**each, **({"pan": _beginning(each["pan"])} if "pan" in each else {})} for each in rules]
    return {**raw, **({} if conduct.recorder is None else conduct.recorder.written())}


def _beginning(pan: str) -> str:
    """No card number in clear: a rule about one becomes a rule about its first six digits."""
    return f"{pan.removesuffix('*')[:6]}*"
