"""The pages: self-contained HTML, one for each telegram and each flow of a partner. Nothing in them needs a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from images.annotated import AnnotatedTelegram
from images.codes import codes_of
from images.document import Document, counted
from images.drawing import GATEWAY_X, TIME_X, detail_of, drawing_of
from images.dump import RULER, Cell, dump
from images.editions import edition_text
from images.palette import PALETTE
from images.tables import colour_of, lines_of, pieces, value_text
from schemas.plain_text import finalized

GENERATOR = "denbun images"
"""What each page says it was made by; a folder of older documents is known by it."""


def pages_of(document: Document) -> dict[str, str]:
    """All pages of a partner, by their place below its folder."""
    environment = environment_of(document)
    flows = {flow.entry.name: flow for flow in document.flows}
    common: dict[str, Any] = {
        "doc": document,
        "edition": edition_text(document.spec),
        "centre": document.centre,
        "counted": document.counted,
        "never": document.never_travelled,
        "flows": flows,
        "framing": framing_text(document),
        "made": made_text(document),
        "tables": codes_of(document),
    }

    def page(template: str, **more: Any) -> str:
        return environment.get_template(template).render(**common, **more)

    pages = {
        "index.html": page("index.html.jinja", telegrams=tuple(document.telegrams.values())),
        "codes.html": page("codes.html.jinja"),
    }
    for role, view in document.telegrams.items():
        lines = lines_of(document.spec, view.shown)
        pages[f"telegrams/{role.value}.html"] = page(
            "telegram.html.jinja", view=view, lines=lines, own=counted([view.spec])
        )
    for name, flow in flows.items():
        svg = environment.get_template("sequence.svg.jinja").render(
            d=drawing_of(document, flow), label=flow.entry.japanese, gateway=GATEWAY_X, time=TIME_X
        )
        pages[f"flows/{name}.html"] = page("flow.html.jinja", flow=flow, svg=svg)
    return pages


def cover_page(documents: Sequence[Document]) -> str:
    """The page that leads to every partner's."""
    docs = [
        {
            "spec": each.spec, "telegrams": each.telegrams, "flows": each.flows, "counted": each.counted,
            "travelled": sum(len(flow.images) for flow in each.flows),
        }
        for each in documents
    ]  # fmt: skip
    return environment_of().get_template("partners.html.jinja").render(docs=docs, made=made_text(documents[0]))


def write_pages(pages: Mapping[str, str], folder: Path) -> None:
    """Write pages below a folder. Raises `OSError`."""
    for place, text in pages.items():
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def framing_text(document: Document) -> str:
    """The length in front of each telegram, in Japanese."""
    framing = document.spec.framing
    kind = "数字（ASCII）" if framing.kind == "ascii" else "バイナリ（ビッグエンディアン）"
    counts = "長さ部を含む" if framing.counts_itself else "長さ部を含まない"
    return f"電文の前に長さ部 {framing.length_bytes} バイト、{kind}、{counts}。電文は最大 {framing.max_length:,} バイト"


def made_text(document: Document) -> str:
    """What a document was made from, in a line."""
    record = document.record
    commit = "" if record.commit is None else f" ({record.commit})"
    return f"denbun {record.version}{commit}　実行 {record.made_at}　`denbun images`"


def environment_of(document: Document | None = None) -> Environment:
    """What fills templates; with a document, those that show its images."""
    environment = Environment(
        loader=PackageLoader("images"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalized,
    )
    environment.globals.update(palette=PALETTE, ruler=RULER, generator=GENERATOR)
    environment.filters.update(
        dumped=dump, colour=colour_of, begins=_begins, owner=_owner, value=value_text, pieces=pieces
    )
    if document is not None:
        environment.filters["detail"] = lambda image: detail_of(document, image)
    return environment


def _begins(telegram: AnnotatedTelegram, cell: Cell) -> bool:
    return telegram.rows[cell.row - 1].offset == cell.offset


def _owner(telegram: AnnotatedTelegram, cell: Cell) -> str:
    row = telegram.rows[cell.row - 1]
    return f"{cell.offset}: {row.japanese} {row.name}"
