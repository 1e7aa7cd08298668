"""The page and the sheet of the differences between two versions of layouts."""

from collections.abc import Sequence

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.annotated import AnnotatedTelegram, annotate
from images.cards import may_be_shown
from images.differences import Differences, Part
from images.pages import environment_of
from images.sheets import fit, heads, printable, put, title, widths
from schemas.plain_text import shown
from schemas.telegrams import PartnerSpec, Role

PAGE, SHEET = "differences.html", "differences.xlsx"
_COLUMNS = (28, 9, 22, 24, 16, 52, 52)
_HEADS = (
    (1, "電文", "telegram"),
    (2, "区分", "change"),
    (3, "項目", "field"),
    (4, "名前", "name"),
    (5, "属性", "of it"),
    (6, "旧", "old"),
    (7, "新", "new"),
)


def differences_page(found: Differences, names: Sequence[str]) -> str:
    """The page; `names` says of the old and of the new version which it is."""
    samples = {part.role: _samples(found, part) for part in found.parts}
    return environment_of().get_template("differences.html.jinja").render(found=found, samples=samples, names=names)


def differences_book(found: Differences, names: Sequence[str]) -> Workbook:
    """The workbook with the one sheet; `names` as of the page."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "差分"
    widths(sheet, _COLUMNS)
    title(sheet, shown(f"{found.new.japanese} レイアウトの差分"), "Differences between two versions of layouts")
    put(sheet, 2, 1, f"旧 old: {names[0]}　→　新 new: {names[1]}", box=False, wrap=False)
    unchanged = "、".join(f"{each.type_code} {each.japanese}" for each in found.unchanged) or "なし"
    put(sheet, 3, 1, f"差分 {found.total} 件。変わらない電文 unchanged: {unchanged}", box=False, wrap=False)
    heads(sheet, 5, _HEADS)
    row = 5
    for part in found.parts:
        for each in part.rows:
            row += 1
            texts = (part.title, each.change, each.japanese, each.what, each.key, each.old, each.new)
            for column, text in enumerate(texts, 1):
                put(sheet, row, column, text)
            fit(sheet, row, zip(texts, _COLUMNS, strict=True))
    printable(sheet, 5, len(_COLUMNS), freeze="A6")
    book.properties.title = shown(f"{found.new.japanese} レイアウトの差分")
    return book


def _samples(found: Differences, part: Part) -> list[AnnotatedTelegram]:
    """The layouts' own samples of a changed telegram, old and new; none where their bytes are the same."""
    if part.role is None:
        return []
    both = [_sample(spec, part.role) for spec in (found.old, found.new) if part.role in spec.telegrams]
    return both if len({each.hex for each in both}) > 1 else []


def _sample(spec: PartnerSpec, role: Role) -> AnnotatedTelegram:
    data = spec.encode(role, spec.telegrams[role].sample())
    return annotate(spec, data, reveal=may_be_shown(spec.decode(data)))
