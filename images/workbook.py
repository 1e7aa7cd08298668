"""The workbook of a partner: cover, lists, a sheet for each flow and telegram. One record makes one file, always."""

import datetime as dt
import io
import re
import zipfile
from pathlib import Path

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.cover_sheet import fill_cover
from images.document import Document
from images.flow_sheet import add_flow_sheet
from images.list_sheets import fill_codes, fill_flows, fill_telegrams
from images.sheets import CODES, COVER, FLOWS, TELEGRAMS
from images.telegram_sheet import add_telegram_sheet
from schemas.plain_text import shown

_TIMES = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")


def workbook_of(document: Document) -> Workbook:
    """The workbook of a partner."""
    book = Workbook()
    cover = book.active
    assert isinstance(cover, Worksheet)
    cover.title = COVER
    fill_cover(cover, document)
    fill_telegrams(book.create_sheet(TELEGRAMS), document)
    fill_flows(book.create_sheet(FLOWS), document)
    for flow in document.flows:
        add_flow_sheet(book, document, flow)
    for view in document.telegrams.values():
        add_telegram_sheet(book, document, view)
    fill_codes(book.create_sheet(CODES), document)
    book.properties.creator = shown(f"denbun {document.record.version}")
    book.properties.title = shown(f"{document.spec.japanese} 電文イメージ")
    return book


def write_workbook(book: Workbook, file: Path, moment: str) -> None:
    """Write it so that nothing in it tells when: `moment`, ISO 8601, stands for every time. Raises `OSError`."""
    written = io.BytesIO()
    book.save(written)
    stamp = dt.datetime.fromisoformat(moment).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = _TIMES.sub(rb"\g<1>" + stamp + rb"\g<2>", source.read(name))
            entry = zipfile.ZipInfo(name)  # the first moment that a ZIP file can tell
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    file.write_bytes(out.getvalue())
