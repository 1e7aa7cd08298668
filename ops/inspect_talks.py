"""How `denbun inspect` shows captures: conversations, and the connections and packets that are none."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from images.annotated import hex_of
from images.conversation import Entry, Silent, Talk, spoken, unanswered
from images.cutting import Skipped
from images.finding import Found
from images.hiding import Level
from images.showing import stretch
from images.telling import visible
from ops.commands.tables import show
from ops.inspect_words import HEADINGS, day_words, miss_words, problem_words, role_words, time_words
from schemas.telegrams import Message, PartnerSpec

_ALL_MOST = 1_000  # telegrams of a connection; of more, those that are in order are not shown unless asked for
_SKIPPED_MOST = 64  # bytes
_TRACES = ("trace_number", "original_trace_number")
_WHY = {
    "not in the capture": "キャプチャにありません",
    "no length of a telegram stands here": "電文長として読めません",
    "before the first telegram that can be read as a whole": "最初に読める電文より前です",
    "the beginning of a telegram whose end is not in the capture": "電文の途中でキャプチャが終わっています",
}


def show_talk(console: Console, talk: Talk, *, trace: int | None = None, everything: bool = False) -> None:
    """The telegrams of one connection, in order of time, answers beside requests; with `trace` those about it alone."""
    line = talk.connection
    day = day_words(next((each.time_ns for each in talk.entries if each.time_ns is not None), None))
    title = f"接続 connection {line.number}  {line.there.source} → {line.there.target}  {day}"
    console.rule(Text(title), align="left", characters="━")
    why = f"（{talk.why.japanese}  {talk.why.english}）"
    console.print(Text(f"提携先 partner  {talk.partner.name} {talk.partner.japanese}{why}"))
    who = "不明 not known" if talk.gateway is None else f"{talk.gateway}（要求を送る側 sends the requests）"
    console.print(Text(f"本システム側 gateway  {who}"))
    left = [entry for entry in unanswered(talk.entries) if trace is None or is_about(entry, trace)]
    entries = _wanted(talk, left, trace, everything=everything)
    if entries:
        show(console, _conversation(entries, day), wide=True)
    for entry in entries:
        if entry.strays:
            console.print(Text.assemble((f"#{entry.number}  ", "bold yellow"), _stray(entry)))
        if entry.would_answer is not None:
            told = f"読めれば #{entry.would_answer} への応答です  would answer #{entry.would_answer}, could it be read"
            console.print(Text.assemble((f"#{entry.number}  ", "bold red"), told))
        if entry.skipped is not None and entry.skipped.data:
            console.print(_skipped(entry.skipped))
    for entry in left:
        console.print(Text(f"#{entry.number}  応答がキャプチャにありません  no answer in the capture", style="yellow"))
    if len(entries) < len(talk.entries) and trace is None:
        count = len(talk.entries) - len(entries)
        told = f"正常な電文 {count} 件は省略  {count} telegrams in order are left out: --trace N or --all shows them"
        console.print(Text(told, style="dim"))
    for remark in remarks_of(talk):
        console.print(Text(f"注意 note  {remark}", style="yellow"))


def _wanted(talk: Talk, left: Sequence[Entry], trace: int | None, *, everything: bool) -> list[Entry]:
    """The entries to show; those that something is wrong with, and what they are about, where there are too many."""
    if trace is not None:
        return [entry for entry in talk.entries if is_about(entry, trace)]
    if everything or len(talk.entries) <= _ALL_MOST:
        return list(talk.entries)
    near = {entry.miss.asked.number for entry in talk.entries if entry.miss is not None}
    near |= {entry.would_answer for entry in talk.entries if entry.would_answer is not None}
    near |= {entry.number for entry in left}
    return [
        entry
        for entry in talk.entries
        if entry.found is None or entry.found.message is None or entry.strays or entry.number in near
    ]


def is_about(entry: Entry, trace: int) -> bool:
    """Whether a telegram has this trace number 処理通番, or names an original by it."""
    said = None if entry.found is None else spoken(entry.found)
    return said is not None and any(said[1].values.get(name) == trace for name in _TRACES)


def _skipped(skipped: Skipped) -> Text:
    """The first of the bytes that belong to no telegram, with everything hidden that could be a digit."""
    seen = stretch(skipped.data, 0, min(len(skipped.data), _SKIPPED_MOST), Level.SHAPE)
    more = "" if len(skipped.data) <= _SKIPPED_MOST else f" … {len(skipped.data)} bytes"
    rows = [
        f"    {hex_of(seen.cells[at : at + 16]):<47}  {''.join(seen.characters[at : at + 16])}"
        for at in range(0, len(seen.cells), 16)
    ]
    return Text(f"位置 {skipped.offset}: {_WHY[skipped.why]}  {skipped.why}{more}\n" + "\n".join(rows), style="yellow")


def _stray(entry: Entry) -> str:
    said = None if entry.found is None else spoken(entry.found)
    assert said is not None
    japanese, english = miss_words(said[0], entry.miss, "" if entry.miss is None else f"#{entry.miss.asked.number}")
    return f"どの要求への応答でもありません: {japanese}\n    answers nothing: {english}"


def _conversation(entries: Sequence[Entry], day: str) -> Table:
    table = Table(expand=True, padding=(0, 1), box=None, header_style="bold")
    for heading in ("#", "時刻\ntime"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("方向\n", "電文\ntelegram", "通番\ntrace", "経路\nroute", "結果\nresult", "対応\nanswers"):
        table.add_column(heading, overflow="fold")
    for entry in entries:
        arrow = HEADINGS[entry.heading][0]
        if entry.found is None:
            assert entry.skipped is not None
            what = f"{entry.skipped.size} バイト bytes: {_WHY[entry.skipped.why]}  {entry.skipped.why}"
            table.add_row("", "", Text(arrow), Text(what, style="yellow"))
            continue
        said = spoken(entry.found)
        answers = "" if entry.answers is None else f"#{entry.answers}{_after(entry)}"
        if entry.strays:
            answers = "？なし none"
        if entry.would_answer is not None:
            answers = f"？#{entry.would_answer}"
        cells = (str(entry.number), time_words(entry.time_ns, day), arrow, _what(entry.found), *_numbers(said), answers)
        style = "red" if entry.found.message is None else "yellow" if entry.strays else ""
        table.add_row(*map(Text, cells), style=style)
    return table


_WHY = {
    "not in the capture": "キャプチャにありません",
    "no length of a telegram stands here": "電文長として読めません",
    "before the first telegram that can be read as a whole": "最初に読める電文より前です",
    "the beginning of a telegram whose end is not in the capture": "電文の途中でキャプチャが終わっています",
}


def _after(entry: Entry) -> str:
    return "" if entry.after_ns is None else f"\n{entry.after_ns / 1_000_000:+.1f} ms"


def _what(found: Found) -> str:
    if found.message is None or found.partner is None:
        return f"読めない電文 does not decode\n{problem_words(found.problem or '')}"
    code, japanese, english = role_words(found.partner, found.message.role)
    inside = "".join(f"\n└ {_what(each)}" for each in found.carried)
    return f"{code} {japanese}  {english}{inside}"


def _numbers(said: tuple[PartnerSpec, Message] | None) -> tuple[str, str, str]:
    if said is None:
        return "", "", ""
    partner, message = said
    values = visible(partner, message)
    told = []
    result, error = values.get(partner.result_field), values.get("error_code")
    if isinstance(result, str):
        told.append(f"{result} {partner.result(result).japanese}")
    if isinstance(error, str):
        told.append(f"{error} {partner.error(error).japanese}")
    return str(values.get("trace_number", "")), str(values.get("route_number", "")), "\n".join(told)


def remarks_of(talk: Talk) -> Iterable[str]:
    """What is to be known about a connection's streams."""
    for direction in (talk.connection.there, talk.connection.back):
        way = f"{direction.source} → {direction.target}"
        if direction.pieces and not direction.whole:
            yield f"{way}: 接続の途中から採取されています  the capture begins in the middle"
        for offset, size in direction.gaps:
            yield f"{way}: 位置 {offset} から {size} バイトが欠けています  bytes are missing from byte {offset} on"
        if direction.repeated:
            yield f"{way}: 再送 {direction.repeated} バイト（一度だけ数えます）  bytes that came again, and count once"
        for remark in direction.remarks[:5]:
            yield f"{way}: 再送の内容が異なります  {remark}"


def show_silent(console: Console, silent: Iterable[Silent], left_out: dict[str, int], remarks: Sequence[str]) -> None:
    """What a capture holds besides."""
    for each in silent:
        line = each.connection
        size = line.there.size + line.back.size
        ends = f"{line.there.source} → {line.there.target}"
        why = f"{each.why.japanese}  {each.why.english}"
        console.print(Text(f"接続 connection {line.number}  {ends}  {size} バイト bytes: {why}"))
    for why, count in sorted(left_out.items()):
        console.print(Text(f"対象外のパケット packets left out: {count} ({why})", style="dim"))
    for remark in remarks:
        console.print(Text(f"注意 note  {remark}", style="yellow"))
