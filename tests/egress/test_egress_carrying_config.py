"""What must fit before a line carries another partner's telegrams; each fault names its place and its remedy."""

import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import schemas.telegrams
from egress.config import Settings
from pipeline.config import ConfigError
from schemas.installation import Installation

ROOT = Path(__file__).parents[2]
DEVELOPMENT = ROOT / "deploy" / "environments" / "development" / "denbun.toml"
LAYOUTS = Path(schemas.telegrams.__file__).parent
CARRIES = {"partner": "cardnet", "code": "JCN1", "company_code": "06290001"}


def settings(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Settings:
    """Egress' view of the development file, whose first line, of CAFIS, carries CARDNET's telegrams too."""
    raw = tomllib.loads(DEVELOPMENT.read_text("utf-8"))
    raw["line"][0]["carries"] = [dict(CARRIES)]
    change(raw)
    return Settings.from_installation(Installation.model_validate(raw))


def layouts(partner: str, where: Path, file: str, take: str, put: str) -> str:
    """A copy of a partner's layouts in which something is another."""
    place = shutil.copytree(LAYOUTS / partner, where / partner)
    text = (place / file).read_text("utf-8")
    assert take in text
    (place / file).write_text(text.replace(take, put), "utf-8")
    return str(place)


def test_a_line_knows_the_layouts_of_whom_it_carries() -> None:
    made = settings()
    assert made.lines[0].partners == ("cafis", "cardnet")
    assert set(made.partners) >= set(made.lines[0].partners)


def test_a_partner_without_envelopes_carries_nobody() -> None:
    def change(raw: dict[str, Any]) -> None:
        raw["line"][0]["carries"] = []
        raw["line"][1]["carries"] = [{"partner": "cafis", "code": "NTT1", "company_code": "290001"}]

    with pytest.raises(ConfigError) as refused:
        settings(change)
    assert str(refused.value) == (
        "line cardnet-1: carries cafis: cardnet has no telegram to carry another partner's in: add "
        "envelope_request.toml and envelope_report.toml to its layouts, or remove it from carries"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"code": "JCN"}, "field carried_code: has 3 characters where 4 belong: correct it to what is contracted"),
        (
            {"company_code": "123456789"},
            "field company_code: has 9 characters where 1 to 8 belong: correct it to what ",
        ),
    ],
)
def test_what_the_contract_says_must_fit_the_telegrams(changed: dict[str, str], told: str, tmp_path: Path) -> None:
    eleven, eight = 'length = 11\nlength_kind = "llvar"', 'length = 8\nlength_kind = "llvar"'
    place = layouts("cardnet", tmp_path, "fields.toml", eleven, eight)

    def change(raw: dict[str, Any]) -> None:
        raw["partner"][1]["telegrams"] = place
        raw["line"][0]["carries"][0].update(changed)

    with pytest.raises(ConfigError) as refused:
        settings(change)
    assert str(refused.value).startswith("line cafis-1: carries cardnet: ")
    assert told in str(refused.value)


def test_the_routes_of_the_line_must_be_routes_of_whom_it_carries(tmp_path: Path) -> None:
    place = layouts("cardnet", tmp_path, "partner.toml", "route_range = [1, 999]", "route_range = [1, 50]")
    with pytest.raises(ConfigError) as refused:
        settings(lambda raw: raw["partner"][1].update(telegrams=place))
    assert re.fullmatch(
        "line cafis-1: carries cardnet: the line has routes 1 to [0-9]+, cardnet 1 to 50: choose within them",
        str(refused.value),
    )


def test_the_trace_numbers_of_the_line_must_be_such_of_whom_it_carries(tmp_path: Path) -> None:
    place = layouts("cardnet", tmp_path, "partner.toml", "trace_range = [1, 999999]", "trace_range = [1, 9999]")
    with pytest.raises(ConfigError) as refused:
        settings(lambda raw: raw["partner"][1].update(telegrams=place))
    assert str(refused.value) == (
        "line cafis-1: carries cardnet: the line has trace numbers 1 to 999999, cardnet 1 to 9999: choose within them"
    )


def test_every_telegram_that_is_carried_must_have_room_in_the_envelope(tmp_path: Path) -> None:
    place = layouts("cafis", tmp_path, "fields.toml", "length = 800", "length = 150")
    for role in ("request", "report"):
        path = Path(place) / f"envelope_{role}.toml"
        path.write_text(path.read_text("utf-8").replace("length = 843", "length = 193"), "utf-8")
    with pytest.raises(ConfigError) as refused:
        settings(lambda raw: raw["partner"][0].update(telegrams=place))
    assert str(refused.value) == (
        "line cafis-1: carries cardnet: its authorisation_request can take 186 bytes, cafis's envelope_request has "
        "room for 150: correct the length of carried_telegram to what is contracted"
    )


def test_an_envelope_must_not_want_more_than_what_is_carried_has(tmp_path: Path) -> None:
    place = layouts("cafis", tmp_path, "fields.toml", "min_length = 1\n", "min_length = 60\n")
    with pytest.raises(ConfigError) as refused:
        settings(lambda raw: raw["partner"][0].update(telegrams=place))
    assert re.fullmatch(
        "line cafis-1: carries cardnet: its [a-z_]+ can take [0-9]+ bytes only, cafis's envelope_request wants 60: "
        "correct the min_length of carried_telegram to what is contracted",
        str(refused.value),
    )


def test_a_company_code_must_fit_the_cancels_of_what_is_carried(tmp_path: Path) -> None:
    place = layouts(
        "cardnet",
        tmp_path,
        "fault_confirm.toml",
        '"company_code",           required = true',
        '"company_code",           required = true, length = 6',
    )
    with pytest.raises(ConfigError) as refused:
        settings(lambda raw: raw["partner"][1].update(telegrams=place))
    assert "cardnet telegram fault_confirm, field company_code: has 8 characters where 1 to 6 belong" in str(
        refused.value
    )
