"""WAKABA: a partner for tests, with all that neither packaged one has. It does not exist, nothing of it is anybody's.

The CAFIS set in EBCDIC with katakana, and two telegrams of its own: fields that another one decides about, kanji,
right-justified text, a group that repeats and one that comes with a payment method.
"""

import shutil
import tempfile
from pathlib import Path

import schemas.telegrams
from schemas.telegrams import PartnerSpec, load_partner

PACKAGE = Path(schemas.telegrams.__file__).parent
OWN = Path(__file__).with_name("wakaba")


def write_wakaba(where: Path) -> Path:
    """Its folder, below `where`."""
    place = Path(shutil.copytree(PACKAGE / "cafis", where / "wakaba", ignore=shutil.ignore_patterns("versions")))
    partner, fields = place / "partner.toml", place / "fields.toml"
    partner.write_text(partner.read_text("utf-8").replace('name = "cafis"', 'name = "wakaba"'), "utf-8")
    text = fields.read_text("utf-8").replace('encoding = "ascii"\n', 'encoding = "ebcdic_kana"\n')
    text = text.replace('length_encoding = "ascii"', 'length_encoding = "ebcdic_kana"').replace(
        "jis_x0201", "ebcdic_kana"
    )
    fields.write_text(text + (OWN / "fields_added.toml").read_text("utf-8"), "utf-8")
    for own in OWN.glob("*_re*.toml"):
        shutil.copy(own, place)
    return place


def load_wakaba() -> PartnerSpec:
    """Its telegrams."""
    with tempfile.TemporaryDirectory() as where:
        return load_partner(write_wakaba(Path(where)))
