"""The partners that tests go through: those of the package, and WAKABA, which has what neither of them has."""

import importlib.util
from pathlib import Path

from schemas.telegrams import PartnerSpec, load_partner


def load_wakaba() -> PartnerSpec:
    """The partner of the codec's tests: EBCDIC with katakana, kanji, conditions and groups."""
    path = Path(__file__).parent / "schemas" / "telegrams" / "wakaba_rig.py"
    found = importlib.util.spec_from_file_location("wakaba_rig", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    spec: PartnerSpec = module.load_wakaba()
    return spec


PARTNERS = CAFIS, CARDNET, WAKABA = load_partner("cafis"), load_partner("cardnet"), load_wakaba()
EVERY_TELEGRAM = [(spec, role) for spec in PARTNERS for role in spec.telegrams]
EVERY_ID = [f"{spec.name}-{role}" for spec, role in EVERY_TELEGRAM]
