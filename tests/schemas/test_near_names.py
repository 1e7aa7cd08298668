"""An unknown name is answered with the known ones that are spelled much like it, and with its place."""

from enum import StrEnum
from typing import Any, Literal

import msgspec
import pytest

from schemas.near_names import meant, nearest, unconverted


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("lenght", ["length"]),
        ("nmae", ["name"]),
        ("ROUTES", ["routes"]),
        ("max_session", ["max_sessions"]),
        ("sale_requst", ["sale_request"]),
        ("zzz", []),
        ("", []),
    ],
)
def test_a_slip_is_near_what_was_meant_and_nothing_else_is(name: str, near: list[str]) -> None:
    known = ["length", "name", "routes", "max_sessions", "sale_request", "host"]
    assert nearest(name, known) == near


def test_the_remedy_names_the_near_ones_or_all_or_what_else_to_do() -> None:
    assert meant("lenght", ["length", "host"]) == "did you mean length?"
    assert meant("other", ["length", "host"]) == "use one of: length, host"
    assert meant("other", ["length"], "take it away") == "take it away"
    assert meant("lenght", ["length"], "take it away") == "did you mean length? Otherwise take it away"


class Colour(StrEnum):
    GREEN = "green"
    BLUE = "blue"


class Plain(msgspec.Struct, forbid_unknown_fields=True):
    height: int = 0


class Paint(msgspec.Struct, forbid_unknown_fields=True, tag="paint", tag_field="do"):
    colour: Colour = Colour.GREEN
    coats: tuple[Plain, ...] = ()


class Wash(msgspec.Struct, forbid_unknown_fields=True, tag="wash", tag_field="do"):
    colours: int = 0


class Job(msgspec.Struct, forbid_unknown_fields=True):
    steps: tuple[Paint | Wash, ...] = ()
    corner: tuple[int, Plain] | None = None
    when: Literal["day", "night"] = "day"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"step": []}, "unknown name 'step': did you mean steps?"),
        ({"a\nb": 1}, "unknown name 'a\\nb': use one of: corner, steps, when"),
        ({"steps": [{"do": "wash", "colour": 1}]}, "steps[0]: unknown name 'colour': did you mean colours?"),
        ({"steps": [{"do": "paint", "colours": 1}]}, "steps[0]: unknown name 'colours': did you mean colour?"),
        ({"steps": [{"do": "pant"}]}, "steps[0].do: unknown value 'pant': did you mean paint?"),
        (
            {"steps": [{"do": "paint"}, {"do": "paint", "coats": [{"hieght": 1}]}]},
            "steps[1].coats[0]: unknown name 'hieght': did you mean height?",
        ),
        (
            {"steps": [{"do": "paint", "colour": "gren"}]},
            "steps[0].colour: unknown value 'gren': did you mean green?",
        ),
        ({"corner": [1, {"heigth": 1}]}, "corner[1]: unknown name 'heigth': did you mean height?"),
        ({"when": "nihgt"}, "when: unknown value 'nihgt': did you mean night?"),
        ({"a` - at `$.b": 1}, "unknown name 'a` - at `$.b': use one of: corner, steps, when"),
        ({"when": "a' - at `$.b"}, 'when: unknown value "a\' - at `$.b": use one of: day, night'),
    ],
)
def test_what_does_not_convert_is_told_with_its_place_and_what_was_meant(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(raw, Job)
    assert unconverted(refused.value, Job, raw) == told


@pytest.mark.parametrize("raw", [{"when": 1}, {"steps": 1}, {"steps": [1]}, {"steps": [{"do": 1}]}, {"steps": [{}]}, 7])
def test_what_is_wrong_otherwise_is_told_in_msgspecs_words(raw: object) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(raw, Job)
    assert unconverted(refused.value, Job, raw) == f"{refused.value}: correct it"
