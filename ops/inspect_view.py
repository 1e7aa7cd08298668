"""How `denbun inspect` shows what it found: tables, the hex dump with its ruler, conversations."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from images.annotated import HIDDEN_BYTE
from images.conversation import Entry, Silent, Talk, spoken, unanswered
from images.dump import RULER, WIDTH
from images.finding import Finding, Found, Reason
from images.telling import Told, tell, visible
from images.trial import Trial
from ops.inspect_words import (
    HEADINGS,
    day_words,
    field_words,
    miss_words,
    problem_words,
    role_words,
    time_words,
)
from schemas.telegrams import Message, PartnerSpec

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")
_DUMP_MOST = 4096  # bytes that are shown of one telegram; a longer one is none
LEGEND = "•• 伏せたバイト hidden   # 数字かもしれないため伏せた文字 could be a digit   · 文字でない no character"


def show_finding(console: Console, finding: Finding, *, number: int | None, reveal: bool) -> None:
    """Everything that was found in some bytes."""
    for index, found in enumerate(finding.found, number or 1):
        show_found(console, found, finding, f"#{index}", reveal=reveal)


def show_found(console: Console, found: Found, finding: Finding | None, title: str, *, reveal: bool) -> None:
    """One telegram, or bytes that are none, with all that is known about it."""
    console.rule(_title(found, title), align="left", characters="━")
    for name, told in _head(found, finding):
        console.print(Text.assemble((f"{name}  ", "bold"), told))
    told_rows = tell(found, reveal=reveal)
    console.print(_fields(told_rows))
    console.print(_dump(found, told_rows))
    for inner in found.carried:
        show_found(console, inner, None, f"{title} 搬送電文 inside", reveal=reveal)


def _title(found: Found, title: str) -> str:
    if found.message is not None and found.partner is not None:
        code, japanese, english = role_words(found.partner, found.message.role)
        return f"{title}  {code} {japanese}  {english}"
    return f"{title}  読めない電文  does not decode"


def _head(found: Found, finding: Finding | None) -> Iterable[tuple[str, str]]:
    partner = found.partner
    why = "" if finding is None else f"（{finding.partner.japanese}  {finding.partner.english}）"
    yield "提携先 partner  ", "不明 not known" + why if partner is None else f"{partner.name} {partner.japanese}{why}"
    arrow, japanese, english = HEADINGS[found.heading]
    yield "方向 direction  ", f"{arrow} {japanese}  {english}（電文種別による by its type）"
    if finding is not None:
        yield "電文長 framing  ", f"{finding.framing.japanese}  {finding.framing.english}"
    yield "長さ length     ", f"{len(found.data)} バイト bytes"
    if found.problem is not None:
        yield "不備 fault      ", problem_words(found.problem)
    for told in _nearness(found.trials):
        yield "最も近い nearest", told


def _nearness(trials: Sequence[Trial]) -> Iterable[str]:
    if not trials:
        return
    best = trials[0]
    names = " / ".join("{} {} {}".format(*role_words(each.partner, each.telegram.role)) for each in trials)
    fitting = f"{best.fitting} 項目が合います  {best.fitting} of {len(best.tried)} fields fit"
    only = best.only_trouble
    if only is not None and only.field is not None:
        japanese, english = field_words(best.partner, only.field.name)
        yield (
            f"{names}: {japanese}（位置 {only.offset}）を除けば正しい電文です  "
            f"would be valid but for the {english} at byte {only.offset}"
        )
        return
    if best.shift is not None:
        count, at = abs(best.shift.missing), best.shift.offset
        japanese, english = ("不足", "missing") if best.shift.missing > 0 else ("余分", "too many")
        yield (
            f"{names}: 位置 {at} から先は、その前に {count} バイト{japanese}とすればすべて合います  "
            f"all fits from byte {at} on, with {_counted(count, 'byte')} {english} before it"
        )
        return
    yield f"{names}: {fitting}"
    if not best.troubles and best.rest < best.size:
        left = best.size - best.rest
        english = f"would be valid but for {_counted(left, 'byte')} after the last field"
        yield f"最後の項目の後に {left} バイト余分です  {english}"
    if best.unmet:
        japanese, english = field_words(best.partner, best.unmet[0].name)
        count = len(best.unmet)
        yield (
            f"{japanese}以降の {count} 項目に届かず終わっています  "
            f"ends before the last {_counted(count, 'field')}, from the {english} on"
        )


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _fields(rows: Sequence[Told]) -> Table:
    table = Table(expand=True, padding=(0, 1), box=None, header_style="bold")
    table.add_column("位置\noffset", justify="right")
    table.add_column("長さ\nbytes", justify="right")
    table.add_column("項目\nfield", no_wrap=True)
    table.add_column("値\nvalue", overflow="fold")
    table.add_column("意味・不備\nmeaning, fault", overflow="fold")
    for index, row in enumerate(rows):
        colour = _COLOURS[index % len(_COLOURS)]
        mark = "＊" if row.assumption else ""
        name = Text(f"{row.japanese} ", style=colour).append(row.name or row.english, style="default")
        table.add_row(str(row.offset), str(row.size), name.append(mark), _value(row), _meaning(row))
    return table


def _value(row: Told) -> Text:
    if row.trouble is not None:
        return Text("✗ 不正  wrong", style="bold red")
    if row.value is None:
        return Text("伏せ  hidden" if row.hidden else "", style="dim")
    return Text(str(row.value), style="dim" if row.hidden else "default")


def _meaning(row: Told) -> Text:
    if row.trouble is not None:
        return Text(f"位置 {row.trouble_at}: {problem_words(row.trouble)}", style="red")
    return Text("" if row.meaning is None else f"{row.meaning.japanese}  {row.meaning.english}")


def _dump(found: Found, rows: Sequence[Told]) -> Text:
    """The bytes in rows of 16, each in the colour of its field."""
    out = Text()
    if found.framing:
        out.append(f"電文長 framing  {found.framing.hex(' ').upper()}\n", style="dim")
    out.append(f"  位置 offset  {'  '.join(RULER)}\n", style="bold")
    cells = [
        (cell, character, "bold red" if row.trouble is not None else _COLOURS[index % len(_COLOURS)])
        for index, row in enumerate(rows)
        for cell, character in zip(row.cells, row.characters, strict=True)
    ]
    for start in range(0, min(len(cells), _DUMP_MOST), WIDTH):
        line = cells[start : start + WIDTH]
        out.append(f"  {start:04d}   {start:04X}  ", style="dim")
        for cell, _, colour in line:
            out.append(HIDDEN_BYTE if cell is None else f"{cell:02X}", style="dim" if cell is None else colour)
            out.append(" ")
        out.append("   " * (WIDTH - len(line)) + " ")
        for cell, character, colour in line:
            out.append(character, style="dim" if cell is None else colour)
        out.append("\n")
    if len(cells) > _DUMP_MOST:
        left = len(cells) - _DUMP_MOST
        out.append(f"  … 残り {left} バイトは表示しません  {left} more bytes are not shown\n", style="dim")
    return out


# --- conversations --------------------------------------------------------------------------------------------------


def show_talk(console: Console, talk: Talk) -> None:
    """The telegrams of one connection, in order of time, answers beside requests."""
    line = talk.connection
    day = day_words(next((each.time_ns for each in talk.entries if each.time_ns is not None), None))
    console.rule(
        f"接続 connection {line.number}  {line.there.source} → {line.there.target}  {day}", align="left", characters="━"
    )
    why = f"（{talk.why.japanese}  {talk.why.english}）"
    console.print(f"提携先 partner  {talk.partner.name} {escape(talk.partner.japanese)}{why}")
    who = "不明 not known" if talk.gateway is None else f"{talk.gateway}（要求を送る側 sends the requests）"
    console.print(f"本システム側 gateway  {escape(who)}")
    console.print(_conversation(talk))
    for entry in talk.entries:
        if entry.strays:
            console.print(Text.assemble((f"#{entry.number}  ", "bold yellow"), _stray(entry)))
        if entry.would_answer is not None:
            told = f"読めれば #{entry.would_answer} への応答です  would answer #{entry.would_answer}, could it be read"
            console.print(Text.assemble((f"#{entry.number}  ", "bold red"), told))
    for entry in unanswered(talk.entries):
        console.print(Text(f"#{entry.number}  応答がキャプチャにありません  no answer in the capture", style="yellow"))
    for remark in remarks_of(talk):
        console.print(Text(f"注意 note  {remark}", style="yellow"))


def _stray(entry: Entry) -> str:
    said = None if entry.found is None else spoken(entry.found)
    assert said is not None
    japanese, english = miss_words(said[0], entry.miss, "" if entry.miss is None else f"#{entry.miss.asked.number}")
    return f"どの要求への応答でもありません: {japanese}\n    answers nothing: {english}"


def _conversation(talk: Talk) -> Table:
    table = Table(expand=True, padding=(0, 1), box=None, header_style="bold")
    for heading in ("#", "時刻 JST\ntime"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("方向\n", "電文\ntelegram", "通番\ntrace", "経路\nroute", "結果\nresult", "対応\nanswers"):
        table.add_column(heading, overflow="fold")
    for entry in talk.entries:
        arrow = HEADINGS[entry.heading][0]
        if entry.found is None:
            assert entry.skipped is not None
            what = f"{entry.skipped.size} バイト bytes: {_WHY.get(entry.skipped.why, '')}  {entry.skipped.why}"
            table.add_row("", "", Text(arrow), Text(what, style="yellow"))
            continue
        said = spoken(entry.found)
        answers = "" if entry.answers is None else f"#{entry.answers}{_after(entry)}"
        if entry.strays:
            answers = "？なし none"
        if entry.would_answer is not None:
            answers = f"？#{entry.would_answer}"
        table.add_row(
            str(entry.number), time_words(entry.time_ns), arrow, _what(entry.found), *_numbers(said), answers,
            style="red" if entry.found.message is None else "yellow" if entry.strays else None,
        )  # fmt: skip
    return table


_WHY = {
    "not in the capture": "キャプチャにありません",
    "no length of a telegram stands here": "電文長として読めません",
    "before the first telegram that can be read as a whole": "最初に読める電文より前です",
    "the beginning of a telegram whose end is not in the capture": "電文の途中でキャプチャが終わっています",
}


def _after(entry: Entry) -> str:
    return "" if entry.after_ns is None else f"\n+{entry.after_ns / 1_000_000:.1f} ms"


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
        console.print(f"接続 connection {line.number}  {escape(ends)}  {size} バイト bytes: {escape(why)}")
    for why, count in sorted(left_out.items()):
        console.print(f"対象外のパケット packets left out: {count} ({why})", style="dim")
    for remark in remarks:
        console.print(Text(f"注意 note  {remark}", style="yellow"))


def show_source(console: Console, name: str, form: Reason) -> None:
    """What was given, and how it was read."""
    console.print(f"入力 input  {escape(name)}（{form.japanese}  {form.english}）")
