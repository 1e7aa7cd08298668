"""From a record to a folder of documents. Everything is made before anything is written, so a failure changes nothing.

index.html                     the way to each partner
<partner>/index.html           cover, lists; telegrams/, flows/, codes.html
<partner>/<partner>.xlsx
record.json                    what they were made of; only where all cards in it are published test numbers
differences.html, .xlsx        what differs between two versions of layouts
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from images.differences import differences
from images.differences_documents import PAGE, SHEET, differences_book, differences_page
from images.document import Document, document_of
from images.editions import digest_of, edition_text, place_named, version_of
from images.pages import GENERATOR, cover_page, pages_of, write_pages
from images.record import Record, write_record
from images.workbook import workbook_of, write_workbook
from schemas.telegrams import PartnerSpec

INDEX, RECORD = "index.html", "record.json"
_NO_MOMENT = "1980-01-01T00:00:00+00:00"  # differences depend on no run


class FolderError(Exception):
    """The folder cannot take documents. The message says why, and what would help."""


def check_folder(out: Path) -> None:
    """Whether documents may be written there: to a new or empty folder, or over older ones. Raises `FolderError`."""
    if out.exists() and not out.is_dir():
        raise FolderError(f"{out} is no folder: name another one")
    if out.is_dir() and any(out.iterdir()) and not any(map(_is_ours, (out / INDEX, out / PAGE))):
        raise FolderError(f"{out} holds other things than telegram images: name a new folder")


def _is_ours(page: Path) -> bool:
    return page.is_file() and f'content="{GENERATOR}"' in page.read_text("utf-8", "replace")


def build_differences(old: str, new: str, out: Path) -> list[Path]:
    """Write the page and the sheet of what differs between two versions of layouts (`version_of`); gives both files.

    Raises `VersionError`, `LayoutError`, `FolderError`, `OSError`.
    """
    check_folder(out)
    found = differences(version_of(old), version_of(new))
    names = [_named(old, found.old), _named(new, found.new)]
    page, book = differences_page(found, names), differences_book(found, names)
    out.mkdir(parents=True, exist_ok=True)
    write_pages({PAGE: page}, out)
    write_workbook(book, out / SHEET, _NO_MOMENT)
    return [out / PAGE, out / SHEET]


def _named(text: str, spec: PartnerSpec) -> str:
    place = place_named(text)
    return f"{Path(place).name}　{edition_text(spec)}　指紋 fingerprint {digest_of(place)}"


def build(record: Record, out: Path, partners: Sequence[str] = ()) -> list[Path]:
    """Write the documents of these partners, or of all; gives the files that one opens first.

    Raises `RecordError`, `LayoutError`, `FolderError`, `OSError`.
    """
    check_folder(out)
    documents = [document_of(record, name) for name in partners or [each.partner for each in record.partners]]
    made = [(document, pages_of(document), workbook_of(document)) for document in documents]
    cover = cover_page(documents)
    out.mkdir(parents=True, exist_ok=True)
    for folder in [each for each in out.iterdir() if each.is_dir() and _is_ours(each / INDEX)]:
        shutil.rmtree(folder)  # a page of an older run must not stay among those of this one
    _keep(record, documents, out / RECORD)
    first = [out / INDEX]
    for document, pages, book in made:
        folder = out / document.spec.name
        write_pages(pages, folder)
        write_workbook(book, folder / f"{document.spec.name}.xlsx", record.made_at)
        first.append(folder / f"{document.spec.name}.xlsx")
    write_pages({INDEX: cover}, out)
    return first


def _keep(record: Record, documents: Sequence[Document], file: Path) -> None:
    """Put the record beside the documents, unless it has in clear what they hide."""
    whole = {document.part.partner for document in documents} == {part.partner for part in record.partners}
    images = [image for document in documents for flow in document.flows for image in flow.images]
    if whole and not any(image.telegram.hidden for image in images):
        write_record(record, file)
    else:
        file.unlink(missing_ok=True)
