"""Configuration: every fault with its place and remedy, all at once, and nothing is guessed."""

import re
from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from words_rig import out_of

from pipeline.config import ConfigError, load, override, parse, variables


class Limits(BaseModel):
    model_config = ConfigDict(extra="forbid")
    low: int
    high: int = Field(le=100)

    @model_validator(mode="after")
    def _in_order(self) -> "Limits":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}: exchange them")
        return self


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    hight: int = 0


class Each(Inner):
    inner: Inner = Inner()


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    limits: Limits
    file: Path = Path("x")

    @field_validator("file")
    @classmethod
    def _from_folder(cls, path: Path, info: ValidationInfo) -> Path:
        return Path((info.context or {})["folder"] or ".") / path


class Larger(Whole):
    several: tuple[Each, ...] = ()


GOOD = 'name = "a"\n[limits]\nlow = 1\nhigh = 2\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "denbun.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def fault(path: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as raised:
        load(Whole, path, environment or {})
    return str(raised.value)


def test_a_sound_file_gives_the_object_with_paths_from_its_folder(tmp_path: Path) -> None:
    loaded = load(Whole, write(tmp_path, 'name = "a"\nfile = "keys.json"\n[limits]\nlow = 1\nhigh = 2\n'), {})
    assert (loaded.name, loaded.limits.low, loaded.limits.high) == ("a", 1, 2)
    assert loaded.file == tmp_path / "keys.json"


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert fault(path) == f"{path}: No such file or directory: name the configuration with --config"


def test_a_folder(tmp_path: Path) -> None:
    assert fault(tmp_path) == f"{tmp_path}: Is a directory: name the configuration with --config"


SYNTAX = "correct the syntax"


def test_not_toml(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\n")
    assert (
        fault(path)
        == f"{path}: is not TOML: Expected '=' after a key in a key/value pair (at line 1, column 5): {SYNTAX}"
    )


def test_not_text(tmp_path: Path) -> None:
    path = write(tmp_path, b"\xff\xfe")
    assert fault(path) == f"{path}: is UTF-16: save the file as UTF-8 without a byte order mark"


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 5_000, "x = " + "9" * 5_000],
    ids=["thousands of brackets", "a number of thousands of digits"],
)
def test_toml_that_its_reader_has_no_measure_for(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    assert fault(path) == f"{path}: is not TOML: holds a number or a nesting beyond all reason: correct it"
    raw: dict[str, object] = {}
    override(raw, {"DENBUN_KAFKA__SERVERS": text[4:]})
    assert raw == {"kafka": {"servers": text[4:]}}


def test_a_name_of_more_than_one_line_is_told_on_one(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("[limits]", '"a\\nb" = 1\n[limits]'))
    assert fault(path) == f"{path}: 'a\\nb': unknown name: use one of: name, limits, file"
    path = write(tmp_path, GOOD)
    assert fault(path, {"DENBUN_NAME__A\nB": "1"}).startswith("environment 'DENBUN_NAME__A\\nB': name is not a section")


def test_an_unknown_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "hihg = 3\n")
    assert fault(path) == f"{path}: limits.hihg: unknown name: did you mean high?"


def test_an_unknown_section(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("[limits]", "[limit]"))
    assert f"{path}: limit: unknown name: did you mean limits?" in fault(path).splitlines()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("low = 1\n" + GOOD, "low: unknown name: it belongs to [limits]"),
        (
            GOOD + 'file = "x"\n',
            "limits.file: unknown name: it belongs to the top of the file, before its first section",
        ),
        (GOOD + "[limits.inner]\n", "limits.inner: unknown name: it belongs to [[several]]"),
        (
            GOOD + "[[several]]\nhigh = 1\n",
            "several.0.high: unknown name: it belongs to [limits]; or did you mean hight?",
        ),
        (
            GOOD + "[[several]]\n[several.inner]\nhihgt = 1\n",
            "several.0.inner.hihgt: unknown name: did you mean hight?",
        ),
    ],
)
def test_a_name_in_the_wrong_place_is_told_where_it_belongs(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(Larger, path, {})
    assert str(raised.value) == f"{path}: {told}"


def test_a_missing_name(tmp_path: Path) -> None:
    path = write(tmp_path, "[limits]\nlow = 1\nhigh = 2\n")
    assert fault(path) == f"{path}: name: missing: it has no default, give it a value"


def test_a_contradiction(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("low = 1", "low = 9"))
    assert fault(path) == f"{path}: limits: low 9 is above high 2: exchange them"


def test_all_faults_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'nmae = "a"\n[limits]\nlow = "x"\nhigh = 101\n')
    assert fault(path).splitlines() == [
        f"{path}: name: missing: it has no default, give it a value",
        f"{path}: limits.low: {out_of(int, 'x')}",
        f"{path}: limits.high: {out_of(Annotated[int, Field(le=100)], 101)}",
        f"{path}: nmae: unknown name: did you mean name?",
    ]


def test_a_fault_of_the_whole_file_says_so() -> None:
    class Never(BaseModel):
        @model_validator(mode="after")
        def _never(self) -> "Never":
            raise ValueError("nothing fits: write it anew")

    with pytest.raises(ConfigError) as raised:
        parse(Never, {}, "denbun.toml")
    assert str(raised.value) == "denbun.toml: (whole file): nothing fits: write it anew"


def test_the_faulty_value_itself_is_not_told(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("low = 1", 'low = "a secret"'))
    assert "secret" not in fault(path)


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    environment = {"DENBUN_LIMITS__HIGH": "50", "DENBUN_LIMITS__LOW": "7", "OTHER_LIMITS__LOW": "8", "DENBUN_NAME": "b"}
    loaded = load(Whole, path, environment)
    assert (loaded.limits.low, loaded.limits.high, loaded.name) == (7, 50, "b")


def test_the_process_environment_is_used_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENBUN_LIMITS__HIGH", "51")
    assert load(Whole, write(tmp_path, GOOD)).limits.high == 51


def test_an_override_makes_a_section_that_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\n')
    assert load(Whole, path, {"DENBUN_LIMITS__LOW": "1", "DENBUN_LIMITS__HIGH": "2"}).limits.high == 2


def test_an_override_of_an_unknown_name_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = fault(path, {"DENBUN_LIMITS__HIHG": "2"})
    assert text == "environment DENBUN_LIMITS__HIHG: limits.hihg: unknown name: did you mean high?"


def test_a_variable_that_stands_for_nothing_is_a_fault(tmp_path: Path) -> None:
    text = fault(write(tmp_path, GOOD), {"DENBUN_LIMITS_HIGH": "2", "DENBUN_NMAE": "b"})
    assert text.splitlines() == [
        "environment DENBUN_LIMITS_HIGH: unknown name: did you mean DENBUN_LIMITS__HIGH?",
        "environment DENBUN_NMAE: unknown name: did you mean DENBUN_NAME?",
    ]


def test_a_fault_is_told_of_whoever_gave_the_value(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("low = 1", 'low = "x"'))
    assert [line.partition(": ")[0] for line in fault(path, {"DENBUN_LIMITS__HIGH": "101"}).splitlines()] == [
        str(path), "environment DENBUN_LIMITS__HIGH",
    ]  # fmt: skip
    text = fault(write(tmp_path, 'name = "a"\n'), {"DENBUN_LIMITS__LOW": "1"})
    assert text == f"{path}: limits.high: missing: it has no default, give it a value"


def test_the_variables_are_those_of_sections_that_there_is_one_of() -> None:
    names = ["DENBUN_NAME", "DENBUN_FILE", "DENBUN_LIMITS__LOW", "DENBUN_LIMITS__HIGH"]
    assert variables(Larger) == names


def test_an_override_inside_what_is_no_section_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert fault(path, {"DENBUN_NAME__X": "2"}) == (
        "environment DENBUN_NAME__X: name is not a section, so nothing in it can be overridden"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ('"5"', "5"),
        ("5_000", 5000),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("{ a = 1 }", {"a": 1}),
        ("", ""),
        ("007", "007"),
        ("a\nb = 1", "a\nb = 1"),
        ("1\nb = 1", "1\nb = 1"),
    ],
)
def test_an_overriding_value_is_toml_or_else_text(text: str, value: object) -> None:
    raw: dict[str, object] = {}
    override(raw, {"DENBUN_SECTION__NAME": text})
    assert raw == {"section": {"name": value}}


def test_an_overriding_value_with_a_control_character_is_told_of() -> None:
    with pytest.raises(ConfigError, match=r"environment DENBUN_A__B: .*U\+0007 .* at character 2: give it without"):
        override({}, {"DENBUN_A__B": "x\a"})


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_load_or_say_what_is_wrong(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("any"), data)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load(Whole, path, {})


class Item(BaseModel):
    name: str


class Several(BaseModel):
    one: Item
    many: tuple[Item, ...] = Field(min_length=1, examples=['[[many]] with name = "a"'])


ONE = '[one]\nname = "a"\n'
NONE = 'there is no [[many]] table: add one, as [[many]] with name = "a"'
NO_LIST = 'is no list of tables: write [[many]], in double brackets, as [[many]] with name = "a"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE, f"many: {NONE}"),
        (f"many = []\n{ONE}", f"many: {NONE}"),
        (f'{ONE}[many]\nname = "a"\n', f"many: {NO_LIST}"),
        (f'many = "a"\n{ONE}', f"many: {NO_LIST}"),
        ('[[many]]\nname = "a"\n', "one: there is no [one] table: add one"),
        (
            'one = 1\n[[many]]\nname = "a"\n',
            "one: is no table: write [one] on a line of its own, and what belongs to it below",
        ),
        (f"many = [1]\n{ONE}", "many.0: is no table: write it in braces, as { name = 1 }"),
    ],
)  # fmt: skip
def test_a_table_that_is_missing_or_none_is_named_with_an_example(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(Several, path, {})
    assert str(raised.value) == f"{path}: {said}"
