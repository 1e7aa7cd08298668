"""From a record to a folder of documents. Everything is made before anything is written, so a failure changes nothing.

DIR/record.json             what they were made of
DIR/index.html              the way to each partner
DIR/<partner>/index.html    cover, lists; telegrams/, flows/, codes.html
DIR/<partner>/<partner>.xlsx

    DIR/differences.html, .xlsx what differs between two versions of layouts
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from images.differences import differences
from images.differences_documents import PAGE, SHEET, differences_book, differences_page
from images.document import document_of
from images.pages import cover_page, pages_of, write_pages
from images.record import Record, write_record
from images.workbook import workbook_of, write_workbook
from schemas.telegrams import load_partner

RECORD = "record.json"
_NO_MOMENT = "1980-01-01T00:00:00+00:00"  # differences depend on no run


class FolderError(Exception):
    """The folder cannot take documents. The message says why, and what would help."""


def check_folder(out: Path) -> None:
    """Whether documents may be written there: to a new or empty folder, or over older ones. Raises `FolderError`."""
    if out.exists() and not out.is_dir():
        raise FolderError(f"{out} is no folder: name another one")
    ours = any((out / name).is_file() for name in (RECORD, PAGE))
    if out.is_dir() and any(out.iterdir()) and not ours:
        raise FolderError(f"{out} holds other things than telegram images: name a new folder")


def build_differences(old: str | Path, new: str | Path, out: Path) -> list[Path]:
    """Write the page and the sheet of what differs between two versions of layouts; gives both files.

    Raises `LayoutError`, `FolderError`, `OSError`.
    """
    check_folder(out)
    found = differences(load_partner(old), load_partner(new))
    page, book = differences_page(found, old, new), differences_book(found, old, new)
    out.mkdir(parents=True, exist_ok=True)
    write_pages({PAGE: page}, out)
    write_workbook(book, out / SHEET, _NO_MOMENT)
    return [out / PAGE, out / SHEET]


def build(record: Record, out: Path, partners: Sequence[str] = ()) -> list[Path]:
    """Write the documents of these partners, or of all; gives the files that one opens first.

    Raises `RecordError`, `LayoutError`, `FolderError`, `OSError`.
    """
    check_folder(out)
    documents = [document_of(record, name) for name in partners or [each.partner for each in record.partners]]
    made = [(document, pages_of(document), workbook_of(document)) for document in documents]
    cover = cover_page(documents)
    out.mkdir(parents=True, exist_ok=True)
    write_record(record, out / RECORD)
    first = [out / "index.html"]
    for document, pages, book in made:
        folder = out / document.spec.name
        shutil.rmtree(folder, ignore_errors=True)  # a page of an older run must not stay among those of this one
        write_pages(pages, folder)
        write_workbook(book, folder / f"{document.spec.name}.xlsx", record.made_at)
        first.append(folder / f"{document.spec.name}.xlsx")
    write_pages({"index.html": cover}, out)
    return first
