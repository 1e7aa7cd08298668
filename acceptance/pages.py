"""The evidence as pages: ``index.html``, and one for each case; ``print.html`` is the short edition.

Each file stands for itself, without a network.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment as Jinja
from jinja2 import PackageLoader, StrictUndefined

from acceptance.record import Evidence
from acceptance.short import HEADS, NOTE, NOTE_EN, short_row
from acceptance.summary import Summary, moment_of
from acceptance.telling import answer
from acceptance.views import CaseView, moment
from schemas.plain_text import finalized
from schemas.telegrams import PartnerSpec

SHORT_PAGE = "print.html"
_STYLE = files("acceptance") / "templates" / "style.css"


def write_pages(summary: Summary, evidence: Evidence, partner: PartnerSpec, folder: Path) -> None:
    """Write ``index.html`` and the pages of the cases into `folder`."""
    jinja = _environment()
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    index = jinja.get_template("index.html.j2").render(**_common(summary, evidence, partner))
    (folder / "index.html").write_text(index, "utf-8")
    page = jinja.get_template("case.html.j2")
    views = summary.views
    for at, each in enumerate(views):
        before = views[at - 1].case.id if at else None
        after = views[at + 1].case.id if at + 1 < len(views) else None
        text = page.render(view=each, before=before, after=after, style=_style(), **_parts(each))
        (folder / "cases" / f"{each.case.id}.html").write_text(text, "utf-8")


def write_short_page(summary: Summary, evidence: Evidence, partner: PartnerSpec, folder: Path) -> None:
    """Write ``print.html`` into `folder`: cover, and a table for each chapter, on pages of its own."""
    chapters = [(names, [short_row(each) for each in views]) for names, views in summary.chapters]
    text = (
        _environment()
        .get_template("print.html.j2")
        .render(
            **{
                **_common(summary, evidence, partner),
                "chapters": chapters,
                "heads": HEADS,
                "legend": NOTE,
                "legend_en": NOTE_EN,
            }
        )
    )
    (folder / SHORT_PAGE).write_text(text, "utf-8")


def _environment() -> Jinja:
    jinja = Jinja(
        loader=PackageLoader("acceptance"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=finalized,
    )  # fmt: skip
    jinja.filters["answer"] = answer
    return jinja


def _style() -> str:
    return _STYLE.read_text("utf-8")


def _common(summary: Summary, evidence: Evidence, partner: PartnerSpec) -> dict[str, object]:
    """What both editions are filled with."""
    sessions = [_session(each.by, each.started_ms, each.ended_ms, each.version) for each in evidence.sessions]
    return {**summary._asdict(), "style": _style(), "evidence": evidence, "partner": partner, "sessions": sessions}


def _parts(view: CaseView) -> Mapping[str, Sequence[object]]:
    earlier = [f"{moment(each.started_ms)} {each.verdict.japanese}（{each.by}）" for each in view.record.earlier]
    told = () if view.record.observation is None else view.record.observation.told
    compared = [(row, check) for row in view.sequence for check in row.checks]
    return {"earlier": earlier, "told": told, "compared": compared}


def _session(by: str, began_ms: int, ended_ms: int | None, version: str) -> Mapping[str, str]:
    return {"by": by, "began": moment(began_ms), "ended": moment_of(ended_ms), "version": version}
