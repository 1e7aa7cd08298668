"""What `denbun inspect --json` tells: the same as the tables, for machines. Nothing that is hidden there is in it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from images.annotated import hex_of
from images.conversation import Entry, Silent, Talk
from images.finding import Finding, Found
from images.hiding import Level
from images.matching import NearMiss
from images.showing import stretch
from images.streams import Direction
from images.telling import Told, tell
from images.trial import Trial


def facts_of_finding(finding: Finding, *, reveal: bool) -> dict[str, Any]:
    """What was found in some bytes."""
    return {
        "partner_because": finding.partner.english,
        "framing": finding.framing.english,
        "telegrams": [facts_of(found, reveal=reveal) for found in finding.found],
    }


def facts_of(found: Found, *, reveal: bool) -> dict[str, Any]:
    """One telegram, or bytes that are none."""
    rows = tell(found, reveal=reveal)
    facts: dict[str, Any] = {
        "decodes": found.message is not None,
        "partner": None if found.partner is None else found.partner.name,
        "edition_since": None if found.partner is None else found.partner.since,
        "role": None if found.message is None else found.message.role.value,
        "type_code": None,
        "direction": found.heading.value,
        "offset": found.offset,
        "bytes": len(found.data),
        "framing": found.framing.hex(),
        "fields": [_field(row) for row in rows],
    }
    if found.message is not None and found.partner is not None:
        facts["type_code"] = found.partner.type_code(found.message.role)
    if found.problem is not None:
        facts["problem"] = found.problem
        facts["nearest"] = [_nearest(each) for each in found.trials]
    if found.carried:
        facts["carried"] = [facts_of(each, reveal=reveal) for each in found.carried]
    return facts


def _field(row: Told) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "offset": row.offset, "bytes": row.size, "name": row.name or None, "japanese": row.japanese, "value": row.value,
        "hex": hex_of(row.cells), "hidden": row.hidden,
    }  # fmt: skip
    if row.meaning is not None:
        facts["meaning"] = row.meaning.english
    if row.trouble is not None:
        facts |= {"problem": row.trouble, "problem_at": row.trouble_at}
    return facts


def _nearest(trial: Trial) -> dict[str, Any]:
    only, shift = trial.only_trouble, trial.shift
    return {
        "partner": trial.partner.name,
        "role": trial.telegram.role.value,
        "type_code": trial.telegram.type_code,
        "fields_that_fit": trial.fitting,
        "fields_tried": len(trial.tried),
        "valid_but_for": None if only is None or only.field is None else only.field.name,
        "fields_not_reached": [field.name for field in trial.unmet],
        "bytes_left": trial.size - trial.rest,
        "shift": None if shift is None else {"from": shift.offset, "bytes_missing_before": shift.missing},
    }


def facts_of_talk(talk: Talk, entries: Iterable[Entry], *, full: Collection[int], reveal: bool) -> dict[str, Any]:
    """One connection of a capture with these entries; the telegrams whose numbers are in `full` with their fields."""
    line = talk.connection
    return {
        "connection": line.number,
        "from": str(line.there.source),
        "to": str(line.there.target),
        "partner": talk.partner.name,
        "partner_because": talk.why.english,
        "gateway": None if talk.gateway is None else str(talk.gateway),
        "streams": [_stream(each) for each in (line.there, line.back)],
        "telegrams": [_entry(each, full=each.number in full, reveal=reveal) for each in entries],
    }


def _stream(direction: Direction) -> dict[str, Any]:
    return {
        "from": str(direction.source),
        "bytes": direction.size,
        "from_the_beginning": direction.whole,
        "missing": [{"offset": offset, "bytes": size} for offset, size in direction.gaps],
        "repeated_bytes": direction.repeated,
        "remarks": list(direction.remarks),
    }


def _entry(entry: Entry, *, full: bool, reveal: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"from": str(entry.source), "direction": entry.heading.value, "stream_offset": entry.offset}
    if entry.found is None:
        assert entry.skipped is not None
        seen = stretch(entry.skipped.data, 0, len(entry.skipped.data), Level.SHAPE)
        return facts | {"skipped_bytes": entry.skipped.size, "because": entry.skipped.why, "hex": hex_of(seen.cells)}
    telegram = facts_of(entry.found, reveal=reveal and full)
    if not full:
        telegram.pop("fields")
        for inner in telegram.get("carried", []):
            inner.pop("fields")
    facts |= {"number": entry.number, "packet": entry.packet, "time_ns": entry.time_ns, "telegram": telegram}
    if entry.answers is not None:
        facts |= {"answers": entry.answers, "after_ns": entry.after_ns}
    if entry.answered_by is not None:
        facts["answered_by"] = entry.answered_by
    if entry.strays:
        facts["near_miss"] = facts_of_miss(entry.miss)
    return facts


def facts_of_miss(miss: NearMiss | None) -> dict[str, Any] | None:
    """Which request an answer nearly answers."""
    if miss is None:
        return None
    return {
        "request": miss.asked.number,
        "role": miss.asked.role.value,
        "trace_number": miss.asked.values.get("trace_number"),
        "answered_by": miss.asked.answered_by,
        "differs_in": [
            {"name": each.name, "request": each.asked, "answer": each.answered} for each in miss.differences
        ],
        "not_known": list(miss.unknown),
    }


def facts_of_silent(silent: Sequence[Silent]) -> list[dict[str, Any]]:
    """The connections without telegrams."""
    return [
        {
            "connection": each.connection.number,
            "from": str(each.connection.there.source),
            "to": str(each.connection.there.target),
            "bytes": each.connection.there.size + each.connection.back.size,
            "because": each.why.english,
        }
        for each in silent
    ]
