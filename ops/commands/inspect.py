"""``denbun inspect``: bytes from a file, hex text or a capture into telegrams that a person can read."""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from images.captures import CaptureError
from images.conversation import Entry, Silent, Talk, talks_of
from images.finding import Found
from images.hextext import HexError
from images.streams import connections_of
from images.telling import revealed_fields
from ops.commands.consoles import open_console
from ops.commands.desk import NOT_DONE, OK, WRONG, Wrong, name_text, print_json, reason_text
from ops.inspect_facts import facts_of_finding, facts_of_silent, facts_of_talk
from ops.inspect_talks import is_about, show_silent, show_talk
from ops.inspect_view import LEGEND, show_finding, show_found, show_source
from ops.inspecting import FORMS, InputError, Source, chosen, partners_of, read_source
from ops.outputs import OutputError, ensure_file
from ops.revealing import Permit, RevealError, permit, write_down
from pipeline.config import ConfigError
from schemas.plain_text import shown
from schemas.telegrams import LayoutError, PartnerSpec

_DETAILS = 5  # undecodable telegrams of a capture that are shown without being asked for


class Reveal(NamedTuple):
    """What somebody gives who wants to see card data; None is what was not given."""

    reason: str | None
    operator: str | None
    key: Path | None
    audit: Path | None


class Look(NamedTuple):
    """What to look at, and how."""

    given: str | None  # a file, or - for standard input
    text: str | None  # hex text
    form: str
    partner: str | None
    folders: Sequence[Path]
    config: Path | None
    numbers: Sequence[int]  # of telegrams to show in full
    everything: bool  # all of them
    trace: int | None  # of a capture only what is about this trace number
    reveal: Reveal | None
    as_json: bool


def inspect(look: Look) -> int:
    """Show what these bytes are; 0: all of it are telegrams, 1: something is none, 2: it cannot be looked at."""
    try:
        return _inspect(look)
    except (Wrong, InputError, HexError, CaptureError, RevealError, LayoutError, ConfigError) as error:
        print(shown(f"inspect: {error}"), file=sys.stderr)
        return WRONG


def _inspect(look: Look) -> int:
    if (look.given is None) == (look.text is None):
        raise Wrong("give one of the two: a file (- for standard input), or --hex TEXT")
    if look.form not in FORMS:
        raise Wrong(f"--as {look.form}: one of {', '.join(FORMS)}")
    may = None if look.reveal is None else _permit(look.reveal)
    everyone = partners_of(look.folders, look.config)
    partners = chosen(everyone, look.partner)
    given = look.given if look.text is None else look.text
    assert given is not None
    source = read_source(given, look.form, partners, everyone, is_text=look.text is not None)
    console = open_console()
    if source.capture is not None:
        return _capture(console, look, source, partners, everyone, may)
    return _pieces(console, look, source, may)


def _permit(reveal: Reveal) -> Permit:
    given = {"--reason": reveal.reason, "--by": reveal.operator, "--key": reveal.key, "--audit": reveal.audit}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise Wrong(f"--reveal: needs {', '.join(missing)} too")
    assert reveal.reason is not None
    assert reveal.operator is not None
    assert reveal.key is not None
    assert reveal.audit is not None
    try:
        ensure_file("--audit", reveal.audit)
    except OutputError as error:
        raise Wrong(str(error)) from error
    return permit(name_text(reveal.operator), reason_text(reveal.reason), reveal.key, reveal.audit)


# --- pieces of bytes ------------------------------------------------------------------------------------------------


def _pieces(console: Console, look: Look, source: Source, may: Permit | None) -> int:
    if look.trace is not None:
        raise Wrong("--trace goes with a capture")
    found = [each for finding in source.findings for each in finding.found]
    _check_numbers(look.numbers, len(found))
    wanted = [number for number in range(1, len(found) + 1) if not look.numbers or number in look.numbers]
    if may is not None:
        _write_down(may, source, [(number, found[number - 1]) for number in wanted])
    if look.as_json:
        facts = [facts_of_finding(finding, reveal=may is not None) for finding in source.findings]
        print_json({"input": source.name, "form": source.form.english, "pieces": facts})
        return _status(found)
    show_source(console, source.name, source.form)
    number = 0
    for finding in source.findings:
        kept = [each for index, each in enumerate(finding.found, number + 1) if index in wanted]
        if len(kept) == len(finding.found):
            show_finding(console, finding, number=number + 1, reveal=may is not None)
        else:
            for index, each in enumerate(finding.found, number + 1):
                if index in wanted:
                    show_found(console, each, finding, f"#{index}", reveal=may is not None)
        number += len(finding.found)
    _close(console, may, revealed=bool(revealed_fields([found[number - 1] for number in wanted])))
    return _status(found)


def _status(found: Sequence[Found]) -> int:
    return OK if all(each.message is not None for each in found) else NOT_DONE


def _check_numbers(numbers: Sequence[int], count: int) -> None:
    for number in numbers:
        if not 1 <= number <= count:
            raise Wrong(f"--number {number}: there is no such telegram: 1 to {count}")


def _write_down(may: Permit, source: Source, shown: Sequence[tuple[int, Found]]) -> None:
    fields = revealed_fields([found for _, found in shown])
    data = b"".join(found.data for _, found in shown)
    write_down(may, source.name, data, fields, [number for number, _ in shown])


def _close(console: Console, may: Permit | None, *, revealed: bool) -> None:
    console.print(LEGEND, style="dim", markup=False)
    console.print(
        "＊ 仮定の電文形式  an assumption of the layouts, not checked against the partner's specification", style="dim"
    )
    if may is not None and not revealed:
        told = "表示できる会員番号はありません  there is no card number here that may be shown"
        console.print(told, style="bold")
    elif may is not None:
        console.print(
            "会員番号と有効期限を表示し、監査ファイルに記録しました。機密認証データは表示しません（PCI DSS 3.3.1）\n"
            "card number and expiry are shown, which is written down; sensitive authentication data never is",
            style="bold",
        )


# --- captures -------------------------------------------------------------------------------------------------------


def _capture(
    console: Console,
    look: Look,
    source: Source,
    partners: Sequence[PartnerSpec],
    everyone: Sequence[PartnerSpec],
    may: Permit | None,
) -> int:
    assert source.capture is not None
    connections, left_out = connections_of(source.capture.packets)
    talks, silent = talks_of(connections, partners, everyone)
    entries = [entry for talk in talks for entry in talk.entries if entry.found is not None]
    _check_numbers(look.numbers, len(entries))
    details = _details(look, entries)
    if may is not None:
        _write_down(may, source, [(entry.number, entry.found) for entry in details if entry.found is not None])
    status = (
        OK
        if talks
        and all(entry.found is not None and entry.found.message is not None for talk in talks for entry in talk.entries)
        else NOT_DONE
    )
    if look.as_json:
        full = {entry.number for entry in details}
        print_json(_facts(look, source, talks, silent, left_out, full, reveal=may is not None))
        return status
    show_source(console, source.name, source.form)
    for talk in talks:
        show_talk(console, talk, trace=look.trace, everything=look.everything)
    show_silent(console, silent, left_out, source.capture.remarks)
    if not connections:
        console.print("TCP の接続がありません  no TCP connection that carried anything", style="yellow")
    for entry in details:
        assert entry.found is not None
        show_found(console, entry.found, None, f"#{entry.number}", reveal=may is not None)
    if details:
        _close(console, may, revealed=bool(revealed_fields([each.found for each in details if each.found is not None])))
    elif entries:
        console.print(
            "電文の中身は --number N または --all で表示  --number N or --all shows telegrams in full", style="dim"
        )
    return status


def _details(look: Look, entries: Sequence[Entry]) -> list[Entry]:
    if look.everything:
        return list(entries)
    if look.numbers:
        return [entry for entry in entries if entry.number in look.numbers]
    if look.trace is not None:
        return []
    return [entry for entry in entries if entry.found is not None and entry.found.message is None][:_DETAILS]


def _facts(
    look: Look, source: Source, talks: Sequence[Talk], silent: Sequence[Silent], left_out: dict[str, int],
    full: Collection[int], *, reveal: bool,
) -> dict[str, Any]:  # fmt: skip
    assert source.capture is not None
    entries = {
        talk.connection.number: [entry for entry in talk.entries if look.trace is None or is_about(entry, look.trace)]
        for talk in talks
    }
    return {
        "input": source.name,
        "form": source.form.english,
        "packets": len(source.capture.packets),
        "packets_left_out": dict(left_out),
        "remarks": list(source.capture.remarks),
        "connections": [
            facts_of_talk(talk, entries[talk.connection.number], full=full, reveal=reveal) for talk in talks
        ],
        "connections_without_telegrams": facts_of_silent(silent),
    }
