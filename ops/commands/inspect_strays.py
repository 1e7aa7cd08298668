"""``denbun inspect --strays``: the answers that matched nothing, each beside the request that it nearly answers."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from images.telling import visible
from ops.commands.desk import OK, Wrong, at_desk, print_json
from ops.inspect_facts import facts_of_miss
from ops.inspect_words import miss_words, role_words
from ops.reading import read_topics
from ops.stray_misses import Records, Stray, answered_by, nearest
from ops.times import clock
from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.installation import Installation, Line
from schemas.records import Record, StrayTelegram, TelegramSent
from schemas.telegrams import LayoutError, load_partner
from schemas.topics import Topics


def inspect_strays(config: Path, *, line: str | None, as_json: bool) -> int:
    """Show the strays of all lines, or of one; gives the exit status."""

    def work(installation: Installation, console: Console) -> int:
        wanted = _lines(installation, line)
        strays = _strays(installation, wanted)
        if as_json:
            print_json([_facts(each) for each in strays])
            return OK
        console.print(f"該当なし電文  answers that matched nothing: {len(strays)}")
        for each in strays:
            _show(console, each)
        return OK

    return at_desk(config, work)


def _lines(installation: Installation, name: str | None) -> list[Line]:
    if name is None:
        return list(installation.line)
    found = [each for each in installation.line if each.name == name]
    if not found:
        known = ", ".join(sorted(each.name for each in installation.line))
        raise Wrong(f"--line {name}: 該当する回線なし  no such line: one of {known}")
    return found


def _strays(installation: Installation, lines: list[Line]) -> list[Stray]:
    """Those of these lines, in order of time. Raises `LogError`, `RecordError`, `Wrong`."""
    topics = Topics(installation.kafka.topic_prefix)
    try:
        specs = {each.name: load_partner(each.telegrams) for each in installation.partner}
    except LayoutError as error:
        raise Wrong(str(error)) from error
    families = [topics(family, each.name) for each in lines for family in ("sent", "dispatch")]
    names = [*map(topics, ("strays", "reports", "cancel-reports")), *families]
    read = read_topics(installation.kafka, names)
    answered = answered_by(
        _record(each) for name in ("reports", "cancel-reports") for each in _plain(read[topics(name)])
    )
    found: list[Stray] = []
    for line in lines:
        sent = [_record(each) for each in _plain(read[topics("sent", line.name)])]
        dispatch = {each.offset: _record(each) for each in _plain(read[topics("dispatch", line.name)])}
        records = Records([each for each in sent if isinstance(each, TelegramSent)], dispatch, answered)
        for message in _plain(read[topics("strays")]):
            stray = _record(message)
            if isinstance(stray, StrayTelegram) and stray.line == line.name:
                found.append(nearest(stray, line, specs, records, installation.clock_tolerance_ms))
    return sorted(found, key=lambda each: each.record.received_ms)


def _plain(messages: list[Message]) -> list[Message]:
    return [each for each in messages if each.value is not None and each.key != MARKER_KEY]


def _record(message: Message) -> Record:
    return wire.decode(message)


def _show(console: Console, stray: Stray) -> None:
    record = stray.record
    told = "読めない電文  does not decode"
    if stray.partner is not None and stray.message is not None:
        told = "{} {}  {}".format(*role_words(stray.partner, stray.message.role))
        told += f"  処理通番 trace {stray.message.values.get('trace_number', '–')}"
    console.rule(Text(f"{clock(record.received_ms)}  {record.line}  {told}"), align="left", characters="━")
    console.print(Text(f"回線の記録  the line said: {stray.why}"))
    if stray.partner is None:
        return
    of = "" if stray.of is None else f"取引 transaction {stray.of.transaction_id}"
    japanese, english = miss_words(stray.partner, stray.miss, of)
    console.print(Text(japanese, style="yellow"))
    console.print(Text(english, style="yellow"))
    if stray.miss is not None and stray.miss.unknown:
        console.print(
            Text(f"記録にないため比べていない項目  not in the records, not compared: {', '.join(stray.miss.unknown)}")
        )


def _facts(stray: Stray) -> dict[str, Any]:
    values = {} if stray.partner is None or stray.message is None else visible(stray.partner, stray.message)
    return {
        "line": stray.record.line,
        "received_ms": stray.record.received_ms,
        "role": stray.record.role,
        "why": stray.why,
        "values": values,
        "near_miss": facts_of_miss(stray.miss),
        "transaction": None if stray.of is None else stray.of.transaction_id,
    }
