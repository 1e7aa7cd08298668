"""What a check looks at, on an installation that is up. Nothing is changed, but by `order`, an operator's."""

import uuid
from collections.abc import Callable, Mapping, Sequence

from acceptance.cases import Look
from ops.cases import ENDED, STAGES, WITH_PERSON, cases
from ops.clocks import broker_time_ms
from ops.commands.lines import Lines
from ops.line_board import Row
from ops.reading import ends, read_topics
from ops.times import age, now_ms
from pipeline.log import LogError
from schemas.installation import Installation
from schemas.records import CancelStage, LineOrder, LineOrdered, LineStage
from schemas.telegrams import load_partner
from schemas.topics import Topics

_ANSWERED_MS = 300_000
_NO_TOPIC_CHANGES = "構成どおり  all as configured"


class Looks:
    """One partner's lines and cases. Methods raise `LogError` or `RecordError` where nothing can be read."""

    def __init__(self, installation: Installation, partner: str, lines: Sequence[str]) -> None:
        self._installation = installation
        self._partner = partner
        self._lines = set(lines)
        self._topics = Topics(installation.kafka.topic_prefix)

    def all_open(self) -> bool:
        """Whether every line is open."""
        return all(_is_open(row) for row in self._rows())

    def none_open(self) -> bool:
        """Whether no line is open."""
        return not any(_is_open(row) for row in self._rows())

    def sessions(self) -> dict[str, int | None]:
        """By line: since when its connection stands, by the clock of its owner."""
        return {row.line.name: None if row.state is None else row.state.connected_ms for row in self._rows()}

    def reopened(self, before: Mapping[str, int | None]) -> bool:
        """Whether every line is open, on another connection than `before`."""
        return self.all_open() and all(before.get(name) != since for name, since in self.sessions().items())

    def order(self, order: LineOrder, operator: str, reason: str) -> str | None:
        """Order this of every line, as `denbun lines` does; gives what went wrong, if anything."""
        desk = Lines(self._installation)
        for line in sorted(self._lines):
            record = LineOrdered(
                order_id=uuid.uuid4().hex, line=line, order=order, operator=operator, reason=reason, ordered_ms=now_ms()
            )  # fmt: skip
            if desk.ask("line-orders", line, record) is None:
                return f"{line}: 応答なし  no answer to the order"
        return None

    def look(self, look: Look) -> tuple[bool, str]:
        """Whether it is so, and what was seen."""
        match look:
            case Look.CONFIGURATION:
                return self._configuration()
            case Look.LAYOUT_CONFIRMED:
                return self._layout()
            case Look.ENCRYPTED:
                return self._encrypted()
            case Look.LINES_OPEN:
                rows = self._rows(broker_time_ms(self._installation.kafka))
                return _each(rows, lambda row: row.trouble is None and _is_open(row), _told_line)
            case Look.KEEPALIVE:
                at_ms = broker_time_ms(self._installation.kafka)
                return _each(
                    self._rows(at_ms), lambda row: _answered_lately(row, at_ms), lambda row: _told_keepalive(row, at_ms)
                )
            case Look.NO_ROUTE_HELD:
                held = [
                    f"{row.line.name}: 経路 {each.route_number} ({each.reason})"
                    for row in self._rows()
                    for each in row.holds
                ]
                return not held, "\n".join(held) or "経路保留なし  none"
            case Look.NO_ATTENTION:
                return self._cases(lambda stage: stage in WITH_PERSON)
            case Look.MONEY:
                raise AssertionError("the money of an installation is no look of one partner's lines")
            case Look.NO_CANCEL_OPEN:
                return self._cases(lambda stage: stage not in (*WITH_PERSON, *ENDED))

    def _rows(self, at_ms: int | None = None) -> list[Row]:
        """The board of these lines; only with the broker's time does `trouble` tell of an owner that is silent."""
        return [row for row in Lines(self._installation).rows(at_ms) if row.line.name in self._lines]

    def _configuration(self) -> tuple[bool, str]:
        names = [each.name for each in self._topics.creations(sorted(self._lines), 1, 1)]
        try:
            ends(self._installation.kafka, names)
        except LogError as error:
            return False, str(error)
        return True, f"{len(names)} topics: {_NO_TOPIC_CHANGES}"

    def _layout(self) -> tuple[bool, str]:
        spec = load_partner(self._installation.partner_named(self._partner).telegrams)
        fields = {(role, field.name): field for role, each in spec.telegrams.items() for field in each.fields}
        assumed = [f"{role}.{name}" for (role, name), field in fields.items() if field.assumption]
        shown = f": {', '.join(assumed[:5])} …" if assumed else ""
        return not assumed, f"仮定の項目 {len(assumed)} / {len(fields)}  fields that are assumptions{shown}"

    def _encrypted(self) -> tuple[bool, str]:
        there = {
            "clients (ingress.tls)": self._installation.ingress.tls is not None,
            "Kafka (kafka.client security.protocol)": "ssl"
            in self._installation.kafka.client.get("security.protocol", "").lower(),
        }
        there |= {
            f"line {line.name} (line.tls)": line.tls is not None
            for line in self._installation.line
            if line.name in self._lines
        }
        told = [f"{'○' if is_so else '×'} {name}" for name, is_so in there.items()]
        return all(there.values()), "\n".join(sorted(told, reverse=True))

    def _cases(self, wanted: Callable[[CancelStage], bool]) -> tuple[bool, str]:
        names = [self._topics("cancels"), self._topics("attention")]
        found = cases(*read_topics(self._installation.kafka, names).values())
        states = [each.state for each in found.values() if each.state.partner == self._partner]
        told = [f"{each.transaction_id}: {STAGES[each.stage]} {each.stage}" for each in states if wanted(each.stage)]
        return not told, "\n".join(told) or "なし  none"


def _each(rows: Sequence[Row], holds: Callable[[Row], bool], told: Callable[[Row], str]) -> tuple[bool, str]:
    marks = [(holds(row), told(row)) for row in rows]
    text = "\n".join(f"{'○' if good else '×'} {words}" for good, words in sorted(marks))
    return bool(marks) and all(good for good, _ in marks), text or "回線なし  no line"


def _is_open(row: Row) -> bool:
    return row.state is not None and row.state.stage is LineStage.OPEN


def _told_line(row: Row) -> str:
    stage = "–" if row.state is None else row.state.stage
    return f"{row.line.name}: {stage}" + ("" if row.trouble is None else f" ({row.trouble[1]})")


def _answered_lately(row: Row, at_ms: int | None) -> bool:
    """Whether a keep-alive was answered in time, by the broker's clock; where no service runs, none was."""
    state = row.state
    last = None if state is None else max(state.asked_ms or 0, state.answered_ms or 0)
    return at_ms is not None and bool(last) and at_ms - (last or 0) <= _ANSWERED_MS


def _told_keepalive(row: Row, at_ms: int | None) -> str:
    state = row.state
    if state is None or at_ms is None:
        return f"{row.line.name}: –"
    shown = ["–" if each is None else f"{age(at_ms - each)} 前" for each in (state.asked_ms, state.answered_ms)]
    return f"{row.line.name}: 受 {shown[0]} / 送 {shown[1]}"
