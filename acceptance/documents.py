"""Writes the evidence for people: the workbook and the pages."""

from pathlib import Path

from acceptance.catalogue import Catalogue
from acceptance.pages import write_pages
from acceptance.record import Evidence
from acceptance.summary import summarised
from acceptance.workbook import write_workbook
from schemas.telegrams import PartnerSpec


def write_documents(evidence: Evidence, catalogue: Catalogue, partner: PartnerSpec, folder: Path) -> None:
    """Write ``evidence.xlsx``, ``index.html`` and a page per case into `folder`."""
    summary = summarised(evidence, catalogue, partner)
    write_pages(summary, evidence, partner, folder)
    write_workbook(summary, evidence, partner, folder)
