"""The sequence of a flow as a drawing: three lifelines, arrows, notes and held routes, placed on a plane. No output."""

from typing import NamedTuple

from images.document import TO_PARTNER, Document, FlowView, Image
from images.sequence import Kind, Step, steps_of

WIDTH = 980
TIME_X, CLIENT_X, GATEWAY_X, CENTRE_X = 66, 190, 520, 860
HEAD = 58
_HEIGHTS = {Kind.TELEGRAM: 56, Kind.CLIENT_ASKS: 46, Kind.CLIENT_HEARS: 46, Kind.CLIENT_LOST: 46, Kind.NOTE: 44}
_HALF = 7  # of a bar's width


class Arrow(NamedTuple):
    """From `x1` to `x2`. `link`: the anchor of the telegram's image, None for what is no telegram."""

    x1: int
    x2: int
    y: int
    title: str
    english: str
    detail: str
    time: str
    link: str | None
    lost: bool = False

    @property
    def head(self) -> str:
        """The points of its tip."""
        back = -9 if self.x2 > self.x1 else 9
        return f"{self.x2},{self.y} {self.x2 + back},{self.y - 5} {self.x2 + back},{self.y + 5}"

    @property
    def middle(self) -> int:
        return (CLIENT_X + GATEWAY_X) // 2 if self.lost else (self.x1 + self.x2) // 2


class Note(NamedTuple):
    """Something that happens in the gateway."""

    y: int
    title: str
    english: str


class Bar(NamedTuple):
    """While a route is held."""

    top: int
    bottom: int
    title: str


class Drawing(NamedTuple):
    """All of it. `lanes`: the lifelines' places and names."""

    width: int
    height: int
    lanes: tuple[tuple[int, str, str], ...]
    arrows: tuple[Arrow, ...]
    notes: tuple[Note, ...]
    bars: tuple[Bar, ...]


def drawing_of(document: Document, flow: FlowView) -> Drawing:
    """The drawing of a flow."""
    steps = steps_of(document, flow)
    arrows, notes, tops = [], [], []
    y = HEAD
    for step in steps:
        tops.append(y)
        height = _HEIGHTS[step.kind]
        if step.kind is Kind.NOTE:
            notes.append(Note(y + 6, step.japanese, step.english))
        else:
            arrows.append(_arrow(document, step, y + height // 2 + 2))
        y += height
    client = () if not flow.flow.asks else ((CLIENT_X, "加盟店サーバ", "client"),)
    lanes = (
        *client,
        (GATEWAY_X, "denbun", "加盟店センタ gateway"),
        (CENTRE_X, document.centre, "センタ centre"),
    )
    return Drawing(WIDTH, y + 18, lanes, tuple(arrows), tuple(notes), tuple(_bars(flow, steps, [*tops, y])))


def _arrow(document: Document, step: Step, y: int) -> Arrow:
    image = step.image
    if image is None:
        asks = step.kind is Kind.CLIENT_ASKS
        x1, x2 = (CLIENT_X, GATEWAY_X) if asks else (GATEWAY_X, CLIENT_X)
        lost = step.kind is Kind.CLIENT_LOST
        return Arrow(x1, (x1 + x2) // 2 if lost else x2, y, step.japanese, step.english, "", "", None, lost)
    out = image.travelled.way == TO_PARTNER
    x1, x2 = (GATEWAY_X + _HALF, CENTRE_X) if out else (CENTRE_X, GATEWAY_X + _HALF)
    title = f"{image.telegram.telegram.type_code} {step.japanese}"
    if image.inside is not None:
        inner = image.inside.telegram.telegram
        title += f"［{inner.type_code} {inner.japanese}］"
    return Arrow(
        x1, x2, y, title, step.english, detail_of(document, image), f"{image.after_ms:,} ms", f"t{image.number}"
    )


def detail_of(document: Document, image: Image) -> str:
    """The numbers by which a telegram is known, and what it says, in one line."""
    values = image.message.values
    parts = []
    if values.get("route_number"):
        parts.append(f"経路 {values['route_number']}")
    parts.append(f"通番 {values.get('trace_number', '')}")
    if "original_trace_number" in values:
        parts.append(f"原通番 {values['original_trace_number']}")
    inner = image if image.inside is None else image.inside
    for name in (document.spec.result_field, "error_code"):
        if name in inner.message.values:
            parts.append(f"{'結果' if name != 'error_code' else 'エラー'} {inner.message.values[name]}")
    return "　".join([*parts, f"{image.telegram.size} バイト"])


def _bars(flow: FlowView, steps: list[Step], tops: list[int]) -> list[Bar]:
    bars = []
    begun: int | None = None
    for number, step in enumerate([*steps, None]):
        held = step is not None and step.holds
        if held and begun is None:
            begun = number
        elif not held and begun is not None:
            route = next((each.message.values.get("route_number") for each in flow.images if each.inside is None), None)
            top = tops[begun] + 4
            # the telegram that ends it still travels on it
            bottom = tops[number] + (_HEIGHTS[Kind.TELEGRAM] // 2 if step is not None and step.image is not None else 0)
            bars.append(Bar(top, bottom, "経路保留" if route is None else f"経路 {route} 保留"))
            begun = None
    return bars
