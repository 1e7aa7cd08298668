"""Tells of cases for a person 要対応 as they come: for a terminal that somebody looks at."""

import threading
from collections.abc import Callable

from ops.cases import reason_in_japanese
from ops.reading import Ends, read_topics
from ops.times import clock
from pipeline.log import LogError, Message
from schemas import wire
from schemas.installation import Installation
from schemas.records import AttentionRaised
from schemas.telegrams import LayoutError, load_partner
from schemas.topics import Topics

_LOOK_S = 2.0


class Attention:
    """The attention list 要対応一覧, followed. `look` raises `LogError`, `RecordError`."""

    def __init__(self, installation: Installation) -> None:
        self._kafka = installation.kafka
        self._topic = Topics(self._kafka.topic_prefix)("attention")
        self._after: Ends | None = None
        self._open: dict[bytes | None, AttentionRaised] = {}

    def look(self) -> list[AttentionRaised]:
        """The cases that are open and were not told yet, the oldest first."""
        messages = read_topics(self._kafka, [self._topic], after=self._after)[self._topic]
        self._after = {**(self._after or {}), **{(each.topic, each.partition): each.offset + 1 for each in messages}}
        before = dict(self._open)
        for message in messages:
            self._take(message)
        fresh = [each for key, each in self._open.items() if each != before.get(key)]
        return sorted(fresh, key=lambda each: each.raised_ms)

    def _take(self, message: Message) -> None:
        if message.value is None:
            self._open.pop(message.key, None)
        else:
            self._open[message.key] = wire.decode_as(AttentionRaised, message)


def announcement(case: AttentionRaised, installation: Installation) -> str:
    """What is announced of a case: which it is, why a person has it, what to do. Raises `ConfigError`."""
    try:
        spec = load_partner(installation.partner_named(case.partner).telegrams)
    except (KeyError, LayoutError):
        spec = None
    trace = "–" if case.trace_number is None else case.trace_number
    return "\n".join(
        (
            f"要対応  a case for a person: {case.transaction_id}  ({clock(case.raised_ms)})",
            f"  {case.partner}, {case.line}, {case.kind} ¥{case.amount:,}, 処理通番 trace {trace}",
            f"  理由  why: {reason_in_japanese(case.reason, spec)}  {case.reason}; 指令 commands {case.attempts}",
            "  対応  what to do: 相手センタに取引の成否を確認し、再指令または対応完了を指示",
            "    ask the partner whether the payment stands there, then order a re-command or close the case:",
            f"    denbun faults show {case.transaction_id}",
            f"    denbun faults repeat {case.transaction_id} --reason … --by …",
            f"    denbun faults settle {case.transaction_id} --outcome cancelled|stands --reason … --by …",
        )
    )


def watch(installation: Installation, say: Callable[[str], None], stop: threading.Event) -> None:
    """Announce what is open, and each case that comes, until `stop`. Raises `RecordError`; a broker may come and go."""
    attention, trouble = Attention(installation), None
    while not stop.is_set():
        try:
            for case in attention.look():
                say(announcement(case, installation))
            trouble = None
        except LogError as error:
            if trouble is None:
                trouble = str(error)
                say(f"要対応一覧を読めません  the attention list cannot be read: {trouble}")
        stop.wait(_LOOK_S)
