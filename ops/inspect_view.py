"""How `denbun inspect` shows what it found: tables, the hex dump with its ruler, conversations."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from images.annotated import HIDDEN_BYTE
from images.dump import RULER, WIDTH
from images.finding import Finding, Found, Reason
from images.telling import Told, tell
from images.trial import Trial
from ops.commands.tables import show
from ops.inspect_words import (
    HEADINGS,
    field_words,
    problem_words,
    role_words,
)
from schemas.telegrams import PartnerSpec

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")
_DUMP_MOST = 4096  # bytes that are shown of one telegram; a longer one is none
LEGEND = "•• 伏せたバイト hidden   # 数字かもしれないため伏せた文字 could be a digit   · 文字でない no character"


def show_finding(console: Console, finding: Finding, *, number: int | None, reveal: bool) -> None:
    """Everything that was found in some bytes."""
    for index, found in enumerate(finding.found, number or 1):
        show_found(console, found, finding, f"#{index}", reveal=reveal)


def show_found(console: Console, found: Found, finding: Finding | None, title: str, *, reveal: bool) -> None:
    """One telegram, or bytes that are none, with all that is known about it."""
    console.rule(Text(_title(found, title)), align="left", characters="━")
    for name, told in _head(found, finding):
        console.print(Text.assemble((f"{name}  ", "bold"), told))
    told_rows = tell(found, reveal=reveal)
    show(console, _fields(told_rows), wide=True)
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
    told = "不明 not known" if partner is None else f"{partner.name} {partner.japanese}{_edition(partner)}"
    yield "提携先 partner  ", told + why
    arrow, japanese, english = HEADINGS[found.heading]
    yield "方向 direction  ", f"{arrow} {japanese}  {english}（電文種別による by its type）"
    if finding is not None:
        yield "電文長 framing  ", f"{finding.framing.japanese}  {finding.framing.english}"
    yield "長さ length     ", f"{len(found.data)} バイト bytes"
    if found.problem is not None:
        yield "不備 fault      ", problem_words(found.problem)
    for told in _nearness(found.trials):
        yield "最も近い nearest", told


def _edition(partner: PartnerSpec) -> str:
    """Which edition of the layouts it is, where there are several."""
    if len(partner.editions) < 2:
        return ""
    since = partner.since
    return " 最初の版 first edition" if since is None else f" {since[:4]}-{since[4:6]}-{since[6:]} からの版 edition"


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
        if best.troubles and not any(each.cut for each in best.troubles):
            yield (
                f"{japanese}以降の {count} 項目は位置が分かりません  "
                f"where the last {_counted(count, 'field')} begin is not known, from the {english} on"
            )
            return
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


def show_source(console: Console, name: str, form: Reason) -> None:
    """What was given, and how it was read."""
    console.print(Text(f"入力 input  {name}（{form.japanese}  {form.english}）"))
