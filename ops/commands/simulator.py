"""What ``denbun simulator`` does with a running centre, over its control port."""

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.table import Table

from ops.commands.consoles import open_console
from ops.commands.tables import show
from ops.outputs import OutputError, ensure_file
from ops.ports import read_address
from schemas.japan_time import JST
from schemas.telegrams import load_partner, packaged
from schemas.toml_files import TomlError, toml_in
from simulator.control import Control, ControlError, NoCentreError
from simulator.rule_files import RuleError, read_toml
from simulator.scenario import PLAIN, load_scenario
from simulator.scenario import packaged as packaged_scenarios
from simulator.timeline import OF_ONE_LINE, Occurrence

_OK, _FAILED, _WRONG = 0, 1, 2
_STANDING = {"stand_in": "代行 stand-in", "cancelled": "取消 cancelled", "stands": "有効 stands"}
_OUTCOMES = {
    "approved": "承認 approved",
    "declined": "否認 declined",
    "turned_round": "折返し turned round",
    "in_error": "異常報告 in error",
}


class Door(NamedTuple):
    """Where a centre takes commands, and whose books and rules are meant."""

    control: str
    partner: str | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Control]:
        """A connection. Raises `ControlError`, and `ValueError` for what is no address."""
        try:
            host, port = read_address(self.control)
        except ValueError as error:
            raise ValueError(f"--control: {error}") from error
        with Control(host, port, partner=self.partner) as control:
            yield control


def _at(door: Door, work: Callable[[Control], None]) -> int:
    """Do some work with a centre; gives the exit status."""
    try:
        with door.open() as control:
            work(control)
    except (ValueError, RuleError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return _WRONG
    except NoCentreError as error:
        print(f"simulator: {error}: 起動していますか  start one with denbun simulator run", file=sys.stderr)
        return _FAILED
    except ControlError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"simulator: {error.filename}: {error.strerror}", file=sys.stderr)
        return _FAILED
    return _OK


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value)).decode())


def _show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column.replace(" ", "\n", 1), overflow="fold")
    for row in rows:
        table.add_row(*("" if each is None else str(each) for each in row))
    show(open_console(), table)


# --- scenarios


def show_scenarios(*, as_json: bool) -> int:
    """The packaged scenarios; gives the exit status."""
    partner = load_partner(packaged()[0])
    every = [PLAIN, *(load_scenario(name, partner) for name in packaged_scenarios())]
    if as_json:
        _print_json([{"name": each.name, "japanese": each.japanese, "english": each.english} for each in every])
    else:
        rows = [(each.name, each.japanese, each.english) for each in every]
        _show("シナリオ  scenarios", ("名前 name", "内容", "what it is"), rows)
    return _OK


def use_scenario(door: Door, name: str) -> int:
    """Switch the running centre; gives the exit status."""

    def work(control: Control) -> None:
        if name == PLAIN.name or name in packaged_scenarios():
            control.use(name)
        elif name.endswith(".toml"):
            raw = read_toml(Path(name), "a scenario")
            control.use({"name": Path(name).stem, **raw})
        else:
            known = ", ".join([PLAIN.name, *packaged_scenarios()])
            raise RuleError(f"{name}: シナリオなし  no such scenario: one of {known}; or give a .toml file")
        told = control.state()
        print(f"{told['partner']}: シナリオ {told['scenario']} {told['scenario_japanese']}  {told['scenario_english']}")

    return _at(door, work)


def add_rule(door: Door, text: str) -> int:
    """Put a rule before all others; gives the exit status."""

    def work(control: Control) -> None:
        try:
            raw = toml_in(f"rule = {{ {text} }}")["rule"]
        except TomlError as error:
            raise RuleError(f'rule: {error.problem}: write it as do = "silent", amount = 4000') from None
        control.behave(**raw)
        print("追加しました  added")

    return _at(door, work)


def order_event(door: Door, do: str, station: str | None) -> int:
    """Have an event happen now; gives the exit status."""

    def work(control: Control) -> None:
        lines = control.happen(do, station)
        counted = do in OF_ONE_LINE and do != Occurrence.REOPEN
        print(f"{do}: {lines} 回線  lines" if counted else f"{do}: 実行しました  done")

    return _at(door, work)


# --- what it knows


def show_state(door: Door, *, as_json: bool) -> int:
    """The centre's state; gives the exit status."""

    def work(control: Control) -> None:
        told = control.state()
        if as_json:
            _print_json(told)
            return
        _show("状態  state", ("", "", ""), _facts(told))
        _show(
            "回線  lines",
            ("局 station", "開局 open", "相手 there", "手元 here", "接続 called by"),
            [
                (each["station"], "開局 open" if each["open"] else "未開局 not open", each["there"], each["here"],
                 "センタ centre" if each["called"] else "加盟店センタ gateway")
                for each in told["lines"]
            ],
        )  # fmt: skip
        rows = [(number, each["hits"], _worded(each["rule"])) for number, each in enumerate(told["rules"], 1)]
        _show("ルール  rules", ("#", "適用 hits", "内容 rule"), [*rows, ("-", told["no_rule"], "（該当なし none）")])

    return _at(door, work)


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str, object]]:
    load = ", ".join(f"{name} {count}" for name, count in told["load"].items())
    return [
        ("センタ", "partner", f"{told['partner']} {told['japanese']}"),
        ("シナリオ", "scenario", f"{told['scenario']} {told['scenario_japanese']}（{told['since_s']:.0f} s）"),
        ("開局受付", "openings", "拒否 refused" if told["refuse_opening"] else "受付 taken"),
        ("被仕向センタ", "destination", "障害 down" if told["destination"] == "destination_down" else "正常 up"),
        ("元帳件数", "ledger entries", told["entries"]),
        ("売上残高", "balance", f"{told['balance']:,} 円 yen"),
        ("過負荷", "overload", load or "なし none"),
        ("規約違反", "violations", told["violations"]),
        ("要確認", "suspicions", told["suspicions"]),
        ("記録", "recorded", f"{told['recorded']}（未記録 missed {told['not_recorded']}）"),
    ]


def _worded(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in rule.items())


def show_ledger(door: Door, last: int, *, as_json: bool) -> int:
    """The newest entries of the books; gives the exit status."""

    def work(control: Control) -> None:
        rows = control.ledger(last)
        if as_json:
            _print_json(rows)
            return
        _show(
            f"元帳  ledger    残高 balance {control.balance():,} 円 yen",
            ("通番・種別 trace, type", "カード・局 card, station", "金額 yen", "結果・承認 outcome, approval",
             "状態 state"),
            [
                (f"{each['trace_number']}\n{each['type_code']}", f"{each['pan']}\n{each['station']}",
                 f"{each['amount']:,}",
                 f"{_OUTCOMES.get(each['outcome'], each['outcome'])}\n{each['approval_code'] or ''}".rstrip(),
                 _standing(each))
                for each in reversed(rows)
            ],
        )  # fmt: skip

    return _at(door, work)


def _standing(entry: Mapping[str, Any]) -> str:
    """Where an entry stands now: what it is, by which telegram it was cancelled, how much of it was taken back."""
    words = [word for name, word in _STANDING.items() if entry[name]]
    if (by := entry["cancelled_by"]) is not None:
        words.append(f"取消済 ← {by['trace_number']}")
    elif entry["taken_back"]:
        words.append(f"{entry['taken_back']:,} 円 yen")
    return "\n".join(words)


def _moment(at_ms: int | None) -> str:
    """A time in Japan, with its date and milliseconds."""
    if at_ms is None:
        return ""
    return dt.datetime.fromtimestamp(at_ms / 1_000, JST).isoformat(" ", "milliseconds")[:23]


def show_telegrams(door: Door, last: int, *, full: bool, as_json: bool) -> int:
    """The newest telegrams; gives the exit status."""

    def work(control: Control) -> None:
        rows = control.telegrams(last)
        if as_json:
            _print_json(rows)
        elif full:
            print("\n\n".join(f"{each['number']} {each['way']} {each['station']} {each['text']}" for each in rows))
        else:
            _show(
                "電文  telegrams   → センタへ to it   ← センタから from it",
                ("#", "時刻 time (JST)", "局 station", "向き way", "種別 type", "電文 telegram", "通番 trace",
                 "経路 route", "動作 deed"),
                [
                    (each["number"], _moment(each["at_ms"]), each["station"], each["way"], each["type_code"],
                     each["role"], each["trace_number"], each["route_number"], each["deed"])
                    for each in rows
                ],
            )  # fmt: skip

    return _at(door, work)


def write_record(door: Door, file: Path) -> int:
    """What happened, as a scenario file; gives the exit status."""

    def work(control: Control) -> None:
        text = control.record(file.stem)
        file.write_text(text, "utf-8")
        told = control.state()
        print(f"{file}: {told['recorded']} 電文を記録  telegrams recorded")
        if told["not_recorded"]:
            print(f"記録上限超過 {told['not_recorded']} 電文  came after the record was full, and stand in no file")

    try:
        ensure_file("FILE", file, new=True)
    except OutputError as error:
        print(f"simulator: {error}", file=sys.stderr)
        return _WRONG
    return _at(door, work)
