"""Writes the evidence for people: the workbook and the pages."""

from pathlib import Path

from acceptance.catalogue import Catalogue
from acceptance.record import Evidence
from schemas.telegrams import PartnerSpec


def write_documents(evidence: Evidence, catalogue: Catalogue, partner: PartnerSpec, folder: Path) -> None:
    """Write ``evidence.xlsx``, ``index.html`` and a page per case."""
