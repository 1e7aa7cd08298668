"""Writes the evidence for people: workbooks and pages, a full and a short edition of each."""

from pathlib import Path

from acceptance.catalogue import Catalogue
from acceptance.pages import SHORT_PAGE, write_pages, write_short_page
from acceptance.record import Evidence
from acceptance.summary import summarised
from acceptance.workbook import SHORT_FILE, write_short_workbook, write_workbook
from schemas.telegrams import PartnerSpec


def write_documents(evidence: Evidence, catalogue: Catalogue, partner: PartnerSpec, folder: Path) -> None:
    """Write ``evidence.xlsx``, ``index.html`` and a page per case into `folder`, and the short edition."""
    summary = summarised(evidence, catalogue, partner)
    write_pages(summary, evidence, partner, folder)
    write_workbook(summary, evidence, partner, folder)
    write_short(evidence, catalogue, partner, folder)


def write_short(evidence: Evidence, catalogue: Catalogue, partner: PartnerSpec, folder: Path) -> list[Path]:
    """Write the short edition alone, ``print.xlsx`` and ``print.html``, into `folder`; gives both files."""
    summary = summarised(evidence, catalogue, partner)
    played = tuple(each for each in summary.problems if each[0].record.observation is not None)
    summary = summary._replace(problems=played)  # its cover is one page: what was never played its rows tell
    write_short_page(summary, evidence, partner, folder)
    write_short_workbook(summary, evidence, partner, folder)
    return [folder / SHORT_FILE, folder / SHORT_PAGE]
