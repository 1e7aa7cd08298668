"""Draws placements as SVG: nodes are columns, the broker lies between their services, the partners stand at the right.

Every line has a row of two lanes. In the upper one stand words: the other nodes' places in the order of takeover, each
in its column, and who calls whom. In the lower one runs the wire, from the owner's box to the partner, past all words.
Everything drawn has a class, so that one style sheet serves light and dark.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from ops.topology import FAULTS, ROUTER, Node, PlacedLine, Topology, in_words

STAGES: Mapping[str | None, tuple[str, str]] = {  # the class, and the Japanese word
    "connecting": ("opening", "接続中"),
    "opening": ("opening", "開局中"),
    "open": ("open", "開局"),
    "suspended": ("failed", "縮退"),
    "draining": ("closing", "閉局準備"),
    "closing": ("closing", "閉局中"),
    "closed": ("closed", "閉局"),
    "failed": ("failed", "障害"),
    "planned": ("planned", "計画"),
}
UNKNOWN = ("closed", "不明")

_COLUMN, _GAP, _MARGIN, _PAD = 240, 22, 28, 12
_WIRES, _PARTNER = 236, 168
_CHIP, _CHIP_HEIGHT, _CHIPS_MAX = 26, 22, 35
_ROW, _BETWEEN = 40, 14
_WORDS, _WIRE = 19, 30  # the lanes of a row: where words stand, and where the wire runs
_TITLE, _HEADER, _BAND, _FLOW = 40, 44, 46, 18
_LEGEND = 64

# Class: fill and stroke on light ground, fill and stroke on dark ground.
_COLOURS: Mapping[str, tuple[str, str, str, str]] = {
    "paper": ("#ffffff", "none", "#12161c", "none"),
    "ink": ("#1b212b", "none", "#e8ecf1", "none"),
    "soft": ("#566070", "none", "#a3aebc", "none"),
    "column": ("#f3f5f8", "#d3d9e1", "#191f27", "#2f3844"),
    "box": ("#ffffff", "#aab4c0", "#212936", "#4a5666"),
    "off": ("none", "#aab4c0", "none", "#4a5666"),
    "band": ("#e3e8ef", "#aab4c0", "#2a3340", "#4a5666"),
    "partner": ("#eceaf7", "#7d74b8", "#2b2844", "#8f86d0"),
    "chip": ("#dbe4f0", "#7f93ad", "#2c3b50", "#6f86a5"),
    "moved": ("#ffe0b8", "#c77700", "#5a3c10", "#e0a040"),
    "wire": ("none", "#7b8696", "none", "#7f8b9b"),
    "arrow": ("#7b8696", "none", "#7f8b9b", "none"),
    "standby": ("#ffffff", "#7b8696", "#212936", "#7f8b9b"),
    "open": ("#c6efd3", "#23864d", "#17472d", "#4cc38a"),
    "opening": ("#fff0b8", "#a67c00", "#4d3f0c", "#d9b441"),
    "closing": ("#ffdcc2", "#c25a10", "#56300f", "#ee8f4a"),
    "closed": ("#dfe3e8", "#7b8696", "#333c48", "#8a96a6"),
    "failed": ("#ffd0d0", "#c62828", "#5a1f1f", "#f07070"),
    "planned": ("#d3e5fb", "#2b6cb0", "#1c3a5e", "#6aa8ee"),
}
_FONTS = "'Noto Sans JP','Noto Sans CJK JP','Hiragino Sans','Yu Gothic','VL Gothic',sans-serif"
_TEXT = (
    f"text{{font-family:{_FONTS};font-size:12px}}.small{{font-size:11px}}"
    ".title{font-size:17px;font-weight:600}.name{font-size:13px;font-weight:600}"
    ".dashed{stroke-dasharray:5 3}.wire{stroke-width:1.5}.moved,.failed{stroke-width:2.5}"  # told apart in grey, too
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One placement to draw. `before`: what is marked as moved is what was elsewhere there."""

    title: str
    shows: Topology
    before: Topology | None = None


def draw(panels: Sequence[Panel]) -> str:
    """The panels, one below the other, as one SVG document."""
    sheet = _Sheet()
    top = _MARGIN
    columns = max(1, *(len(panel.shows.nodes) for panel in panels)) * (_COLUMN + _GAP) - _GAP
    for panel in panels:
        top = _Drawing(sheet, panel, top, columns).draw() + _MARGIN
    width = 2 * _MARGIN + columns + _WIRES + _PARTNER
    _legend(sheet, top)
    height = top + _LEGEND
    light = "".join(f".{name}{{fill:{each[0]};stroke:{each[1]}}}" for name, each in _COLOURS.items())
    dark = "".join(f".{name}{{fill:{each[2]};stroke:{each[3]}}}" for name, each in _COLOURS.items())
    title = escape(" / ".join(panel.title for panel in panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="t"><title id="t">{title}</title>\n'
        f"<style>{_TEXT}{light}@media (prefers-color-scheme: dark){{{dark}}}</style>\n"
        f'<rect class="paper" width="{width}" height="{height}"/>\n' + "\n".join(sheet.parts) + "\n</svg>\n"
    )


@dataclass(slots=True)
class _Sheet:
    parts: list[str] = field(default_factory=list)

    def rect(self, kind: str, x: int, y: int, width: int, height: int, round_: int = 6, tip: str = "") -> None:
        title = f"<title>{escape(tip)}</title>" if tip else ""
        place = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="{round_}"'
        self.parts.append(f'<rect class="{kind}" {place}>{title}</rect>')

    def text(self, said: str, x: int, y: int, kind: str = "ink", anchor: str = "start", room: int = 10_000) -> None:
        said = _fitted(said, room)
        self.parts.append(f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(said)}</text>')

    def wire(self, points: Iterable[tuple[int, int]], tip: str = "") -> None:
        path = " ".join(f"{x},{y}" for x, y in points)
        label = f" aria-label={quoteattr(tip)}" if tip else ""
        self.parts.append(f'<polyline class="wire" points="{path}"{label}/>')

    def arrow(self, x: int, y: int, towards: tuple[int, int]) -> None:
        """A head with its point at this place."""
        across, down = towards
        sides = ((x - 9 * across - 5 * sign * down, y - 9 * down - 5 * sign * across) for sign in (1, -1))
        path = " ".join(f"{x},{y}" for x, y in ((x, y), *sides))
        self.parts.append(f'<polygon class="arrow" points="{path}"/>')


def _fitted(said: str, room: int) -> str:
    """Cut to what fits into so many pixels: a Japanese character is about twice as wide as a Latin one."""
    width, kept = 0.0, ""
    for character in said:
        width += 12 if ord(character) > 0x2FFF else 7
        if width > room:
            return f"{kept[:-1]}…"
        kept += character
    return said


class _Drawing:
    """One panel, from `top` on; `columns` is the room for the nodes of the widest."""

    def __init__(self, sheet: _Sheet, panel: Panel, top: int, columns: int) -> None:
        self._sheet, self._panel, self._of, self._top, self._columns = sheet, panel, panel.shows, top, columns
        self._left = {node.name: _MARGIN + number * (_COLUMN + _GAP) for number, node in enumerate(self._of.nodes)}
        per_row = (_COLUMN - 2 * _PAD) // _CHIP
        most = max((len(held or ()) for node in self._of.nodes for held in (node.router, node.faults)), default=0)
        self._rows = 1 if most > _CHIPS_MAX else max(1, -(-most // per_row))
        self._per_row = per_row

    def draw(self) -> int:
        """Gives the lower end."""
        sheet, of = self._sheet, self._of
        sheet.text(self._panel.title, _MARGIN, self._top + 18, "ink title")
        top = self._top + _TITLE
        service = 28 + self._rows * _CHIP_HEIGHT + 8
        doors, routers, cancels = top + _HEADER, top + _HEADER + 42, top + _HEADER + 42 + service + 8
        band = cancels + service + _FLOW
        lines = band + _BAND + _FLOW
        rows = self._row_places(lines + 30)
        bottom = max([lines + 62, *(place + _ROW for place in rows.values())])
        for node in of.nodes:
            left = self._left[node.name]
            sheet.rect("column", left, top, _COLUMN, bottom + _PAD - top, 10)
            sheet.text(node.name, left + _PAD, top + 19, "ink name", room=_COLUMN - 2 * _PAD)
            sheet.text(node.host or "", left + _PAD, top + 35, "soft small", room=_COLUMN - 2 * _PAD)
            self._door(node, left + 6, doors)
            self._owned(node, ROUTER, "振り分け", left + 6, routers, service)
            self._owned(node, FAULTS, "障害取消", left + 6, cancels, service)
            middle = left + _COLUMN // 2
            for start, end in ((cancels + service, band), (band + _BAND, lines)):
                sheet.wire([(middle, start + 1), (middle, end - 1)])
                sheet.arrow(middle, end, (0, 1))
                sheet.arrow(middle, start, (0, -1))
            self._egress(node, left + 6, lines, bottom - lines)
        self._broker(band)
        for name, place in rows.items():
            self._line(next(line for line in of.lines if line.contract.name == name), place)
        self._partners(rows)
        return bottom + _PAD

    def _row_places(self, top: int) -> dict[str, int]:
        rows = {}
        for partner in self._of.partners:
            for line in self._of.lines_to(partner):
                rows[line.contract.name] = top
                top += _ROW
            top += _BETWEEN
        return rows

    def _broker(self, top: int) -> None:
        of = self._of
        width = self._columns
        self._sheet.rect("band", _MARGIN, top, width, _BAND)
        brokers = ", ".join(of.brokers)
        self._sheet.text(f"Kafka  {brokers}", _MARGIN + _PAD, top + 19, "ink name", room=width - 2 * _PAD)
        told = f"取引 {of.partitions} パーティション partitions・受付 {of.slots} スロット slots"
        self._sheet.text(told, _MARGIN + _PAD, top + 36, "soft small", room=width - 2 * _PAD)

    def _door(self, node: Node, left: int, top: int) -> None:
        told = "スロット不明 slot unknown" if node.slot is None else f"スロット slot {node.slot}"
        self._sheet.rect("off dashed" if node.slot is None else "box", left, top, _COLUMN - 12, 34)
        self._sheet.text("受付 ingress", left + 8, top + 15, "ink")
        self._sheet.text(told, left + 8, top + 28, "soft small")

    def _owned(self, node: Node, service: str, japanese: str, left: int, top: int, height: int) -> None:
        held = node.router if service == ROUTER else node.faults
        self._sheet.rect("off dashed" if held is None else "box", left, top, _COLUMN - 12, height)
        self._sheet.text(f"{japanese} {service}", left + 8, top + 18)
        if held is None:
            self._sheet.text("停止 not running", left + 8, top + 42, "soft")
            return
        self._sheet.text(f"{self._of.share(held):.0%}", left + _COLUMN - 20, top + 18, "soft", "end")
        if len(held) > _CHIPS_MAX:
            self._sheet.text(in_words(held), left + 8, top + 44, room=_COLUMN - 28)
            return
        before = self._panel.before
        kept = held if before is None else _held_before(before, service, node.name)
        for number, partition in enumerate(held):
            row, column = divmod(number, self._per_row)
            x, y = left + 8 + column * _CHIP, top + 28 + row * _CHIP_HEIGHT
            self._sheet.rect("chip" if partition in kept else "moved", x, y, _CHIP - 3, _CHIP_HEIGHT - 3, 4)
            self._sheet.text(str(partition), x + (_CHIP - 3) // 2, y + 14, "ink small", "middle")

    def _egress(self, node: Node, left: int, top: int, height: int) -> None:
        self._sheet.rect("box" if node.egress else "off dashed", left, top, _COLUMN - 12, height)
        routes = sum(line.contract.routes for line in self._of.lines_of(node.name))
        told = f"{routes} 経路 routes" if node.egress else "停止 not running"
        self._sheet.text("回線接続 egress", left + 8, top + 18)
        self._sheet.text(told, left + _COLUMN - 20, top + 18, "soft small", "end")

    def _line(self, line: PlacedLine, top: int) -> None:
        sheet, words, wire = self._sheet, top + _WORDS, top + _WIRE
        end = _MARGIN + self._columns + _WIRES
        contract = line.contract
        dials = contract.mode == "dial"
        owner = self._left.get(line.owner or "")
        start = end - 44 if owner is None else owner + _COLUMN - 12
        sheet.wire([(start, wire), (end, wire)], f"{contract.name} {contract.mode} {' + '.join(contract.partners)}")
        sheet.arrow(end if dials else start, wire, (1, 0) if dials else (-1, 0))
        for place, node in enumerate(line.order):
            if node != line.owner and node in self._left:
                x = self._left[node] + _COLUMN // 2
                sheet.rect("standby", x - 52, words - 15, 104, 20, 10)
                sheet.text(f"待機 standby {place}", x, words - 1, "soft small", "middle")
        if owner is None:
            left = end - _WIRES + 6
            sheet.rect("failed dashed", left, top + 2, _WIRES - 50, _ROW - 4, tip=f"{contract.name}: 所有なし nobody's")
            sheet.text(contract.name, left + 8, words - 2, "ink name", room=_WIRES - 60)
            sheet.text("所有なし nobody", left + 8, words + 13, "ink small")
            return
        carried = "".join(f" ＋{partner.upper()}" for partner in contract.carries)
        told = f"{'発呼 dial' if dials else '着呼 listen'}・{contract.routes} 経路{carried}"
        sheet.text(told, end - 14, words + 1, "soft small", "end", room=_WIRES - 20)
        kind, said = self._look(line)
        sheet.rect(kind, owner + 12, top + 4, _COLUMN - 24, _ROW - 8, tip=f"{contract.name}: {said}")
        sheet.text(contract.name, owner + 20, words + 5, "ink name", room=78)
        sheet.text(said, owner + _COLUMN - 20, words + 5, "ink small", "end", room=104)

    def _look(self, line: PlacedLine) -> tuple[str, str]:
        """The class of a line's box, and what is said in it."""
        if self._panel.before is None:
            kind, japanese = STAGES.get(line.stage, UNKNOWN)
            return kind, f"{japanese} {line.stage or 'unknown'}"
        if line.contract.ordered:
            return "planned dashed", "新規 to order"
        was = {each.contract.name: each.owner for each in self._panel.before.lines}.get(line.contract.name)
        return ("planned", "継続 stays") if was == line.owner else ("moved", f"← {was or '–'}")

    def _partners(self, rows: Mapping[str, int]) -> None:
        left = _MARGIN + self._columns + _WIRES
        for partner in self._of.partners:
            lines = self._of.lines_to(partner)
            top = rows[lines[0].contract.name] + 2
            height = rows[lines[-1].contract.name] + _ROW - 2 - top
            self._sheet.rect("partner", left, top, _PARTNER, height)
            middle = top + height // 2
            self._sheet.text(partner.upper(), left + _PAD, middle - 2, "ink name", room=_PARTNER - 2 * _PAD)
            routes = sum(line.contract.routes for line in lines)
            told = f"{len(lines)} 回線 lines・{routes} 経路"
            self._sheet.text(told, left + _PAD, middle + 14, "soft small")


def _held_before(before: Topology, service: str, name: str) -> Sequence[int]:
    for node in before.nodes:
        if node.name == name:
            return (node.router if service == ROUTER else node.faults) or ()
    return ()


def _legend(sheet: _Sheet, top: int) -> None:
    x = _MARGIN
    for kind, told in (
        ("open", "開局 open"), ("opening", "接続・開局中 opening"), ("closing", "閉局中 closing"),
        ("closed", "閉局 closed"), ("failed", "障害 failed"), ("planned", "計画 planned"), ("moved", "移動 moves"),
    ):  # fmt: skip
        sheet.rect(kind, x, top, 18, 14, 4)
        sheet.text(told, x + 24, top + 12, "soft small")
        x += 34 + sum(11 if ord(character) > 0x2FFF else 6 for character in told)
    told = "▶ 発呼の向き who calls whom・待機 n: 引継ぎの順 order of takeover・%: 取引の割合 share of payments"
    sheet.text(told, _MARGIN, top + 36, "soft small")
