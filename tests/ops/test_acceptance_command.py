"""``denbun acceptance`` before anything is started: what is wrong is said, changes nothing, and has status 2."""

import io
import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from acceptance.cases import Environment
from acceptance.catalogue import load_catalogue
from acceptance.deeds import Words
from acceptance.record import Judgement, Verdict, save
from ops.__main__ import app
from ops.acceptance_people import Answer, Ended, Nobody
from ops.acceptance_run import begun
from ops.commands.acceptance import read_cards
from ops.commands.desk import Wrong
from ops.commands.testers import AtConsole, who_tests
from ops.installations import DEVELOPMENT
from schemas.telegrams import load_partner

CAFIS = load_partner("cafis")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["acceptance", *arguments], catch_exceptions=False, env={"COLUMNS": "400"})


def told(result: Result) -> str:
    return " ".join(result.output.split())


WRONG = {
    "no such step": (("--partner", "cafis", "--env", "moon", "--out", "{out}"), "one of dev, brand, production"),
    "no such partner": (("--partner", "nobody", "--out", "{out}"), "nobody"),
    "no folder": (("--partner", "cafis"), "give --out for a new run, or --resume"),
    "two folders": (("--partner", "cafis", "--out", "{out}", "--resume", "{out}"), "give --out"),
    "no such case": (("--partner", "cafis", "--case", "CAF-D-999", "--out", "{out}"), "--case CAF-D-999: no such case"),
    "a case of another step": (("--partner", "cafis", "--case", "CAF-B-101", "--out", "{out}"), "no such case"),
    "brand without an installation": (("--partner", "cafis", "--env", "brand", "--out", "{out}"), "with --config"),
    "nothing to resume": (("--partner", "cafis", "--resume", "{out}"), "give the folder of an earlier run"),
    "no catalogue": (("--partner", "cafis", "--catalogue", "{out}", "--out", "{out}"), "no catalogue"),
    "no installation": (("--partner", "cafis", "--config", "{out}/none.toml", "--out", "{out}"), "none.toml"),
    "a partner that it has not": (
        ("--partner", "amex", "--config", str(DEVELOPMENT), "--out", "{out}"), "--partner amex: ",
    ),
    "a card number for a name": (("--partner", "cafis", "--by", "4111111111111111", "--out", "{out}"), "--by"),
    "a control character in the name": (
        ("--partner", "cafis", "--by", "試験\x1b[D 太郎", "--out", "{out}"), "a control sequence, as of an arrow key",
    ),
    "nothing to print": (("--partner", "cafis", "--print", "{out}"), "give the folder of an earlier run"),
    "printing and running": (("--partner", "cafis", "--print", "{out}", "--out", "{out}"), "or --print to print one"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_said_and_changes_nothing(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    out = tmp_path / "out"
    result = run(*(each.format(out=out) for each in arguments))
    assert result.exit_code == 2
    assert said in told(result)
    assert not out.exists()


def test_a_folder_with_something_in_it_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    result = run("--partner", "cafis", "--out", str(tmp_path))
    assert result.exit_code == 2
    assert "is not empty" in told(result)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


def test_the_evidence_of_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    catalogue = load_catalogue(CAFIS, Environment.DEV)
    save(begun(catalogue, "此処", "here"), tmp_path)
    other = run("--partner", "cardnet", "--resume", str(tmp_path))
    assert (other.exit_code, "is of cafis dev" in told(other)) == (2, True)
    save(begun(catalogue._replace(digest="0" * 64), "此処", "here"), tmp_path)
    changed = run("--partner", "cafis", "--resume", str(tmp_path))
    assert (changed.exit_code, "the catalogue has changed since" in told(changed)) == (2, True)


def test_the_short_edition_of_a_run_is_printed_and_nothing_is_started(tmp_path: Path) -> None:
    save(begun(load_catalogue(CAFIS, Environment.DEV), "此処", "here"), tmp_path)
    kept = (tmp_path / "evidence.json").read_bytes()
    result = run("--partner", "cafis", "--print", str(tmp_path))
    assert result.exit_code == 0
    assert sorted(each.name for each in tmp_path.iterdir()) == ["evidence.json", "print.html", "print.xlsx"]
    assert all(name in told(result) for name in ("print.html", "print.xlsx"))
    assert (tmp_path / "evidence.json").read_bytes() == kept
    other = run("--partner", "cardnet", "--print", str(tmp_path))
    assert (other.exit_code, "is of cafis dev" in told(other)) == (2, True)


@pytest.mark.parametrize(("verdict", "status"), [(Verdict.PASSED, 0), (Verdict.FAILED, 1)])
def test_a_run_of_which_nothing_is_left_is_summed_up_and_nothing_is_started(
    tmp_path: Path, verdict: Verdict, status: int
) -> None:
    evidence = begun(load_catalogue(CAFIS, Environment.DEV), "此処", "here")
    judged = Judgement(verdict=verdict, pairs=(), checks=())
    records = {name: msgspec.structs.replace(each, judgement=judged) for name, each in evidence.records.items()}
    save(msgspec.structs.replace(evidence, records=records), tmp_path)
    kept = (tmp_path / "evidence.json").read_bytes()
    result = run("--partner", "cafis", "--resume", str(tmp_path))
    assert (result.exit_code, "nothing is left to run" in told(result)) == (status, True)
    assert (tmp_path / "evidence.json").read_bytes() == kept


@pytest.mark.parametrize("environment", Environment)
def test_the_list_tells_every_case_and_starts_nothing(environment: Environment) -> None:
    result = run("--partner", "cafis", "--env", environment, "--list")
    assert result.exit_code == 0
    for case in load_catalogue(CAFIS, environment).cases:
        assert case.id in result.output


# --- cards


def cards(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "cards.toml"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    return file


CARD = '[visa]\nnumber = "4000000000000002"\nexpiry = "2901"\nsecurity_code = "999"\n'


def test_the_partners_test_cards_take_the_place_of_ours(tmp_path: Path) -> None:
    found = read_cards(cards(tmp_path, CARD))
    assert found["visa"].number == "4000000000000002"
    assert found.keys() == {"visa"}
    assert "4000" not in repr(found)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (CARD, 0o644, "others may read it: chmod 600"),
        ("[visa", 0o600, "is not TOML"),
        (CARD.replace("[", "[4000000000000002]\n[4000000000000002]\n["), 0o600, "a fault at line 2"),
        ("\ufeff" + CARD, 0o600, r"byte order mark \(BOM\): save the file as UTF-8"),
        (CARD.replace("visa", "acme"), 0o600, r"\[acme\]: no such brand: one of visa"),
        (CARD.replace("expiry", "expires"), 0o600, r"\[visa\]: number, expiry"),
        (CARD.replace('"999"', "999"), 0o600, r"\[visa\]: number, expiry"),
    ],
)
def test_a_fault_in_the_cards_is_told_without_a_card(tmp_path: Path, text: str, mode: int, said: str) -> None:
    with pytest.raises(Wrong, match=said) as raised:
        read_cards(cards(tmp_path, text, mode))
    assert "4000000000000002" not in str(raised.value)
    assert "999" not in str(raised.value).replace(str(tmp_path), "")


def test_a_file_of_cards_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="name a file of test cards"):
        read_cards(tmp_path / "none.toml")


# --- the person

WORDS = Words("相手先へ依頼してください", "ask the partner")


def asked(monkeypatch: pytest.MonkeyPatch, *typed: str) -> tuple[AtConsole, io.StringIO]:
    answers = iter(typed)
    out = io.StringIO()
    console = Console(file=out, width=200)
    monkeypatch.setattr(console, "input", lambda: next(answers))
    return AtConsole(console, "試験 太郎"), out


@pytest.mark.parametrize(
    ("typed", "answer", "remark"),
    [
        (("y",), Answer.YES, ""),
        (("Y 画面で確認",), Answer.YES, "画面で確認"),
        (("n 残っている",), Answer.NO, "残っている"),
        (("n カード 4111111111111111",), Answer.NO, "カード ********"),
        (("s",), Answer.CANNOT, "cannot be done"),
        (("", "what", "yes", "y"), Answer.YES, ""),
        (("n　画面に表示なし",), Answer.NO, "画面に表示なし"),
        (("n 画面\x1b[D\x1b[D", "n \0", "n 画面に表示なし"), Answer.NO, "画面に表示なし"),
    ],
)
def test_a_person_answers_in_one_letter_and_may_remark(
    monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...], answer: Answer, remark: str
) -> None:
    person, out = asked(monkeypatch, *typed)
    said = person.ask(WORDS)
    assert said.answer is answer
    assert remark in said.remark
    assert WORDS.ja in out.getvalue()
    assert WORDS.en in out.getvalue()


def test_a_remark_with_an_arrow_key_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    person, out = asked(monkeypatch, "n 画面\x1b[D", "y")
    person.ask(WORDS)
    assert "制御文字（矢印キーなど）5 文字目  a control sequence, as of an arrow key" in out.getvalue()
    assert "readline" in sys.modules  # so that keys edit the line, where there is a terminal


def test_an_end_of_the_input_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    person, _ = asked(monkeypatch)
    monkeypatch.setattr(person._console, "input", mock_end)
    with pytest.raises(Ended):
        person.ask(WORDS)


def mock_end() -> str:
    raise EOFError


def naming(monkeypatch: pytest.MonkeyPatch, *typed: str, terminal: bool = True) -> tuple[Console, io.StringIO]:
    """A console at which these lines are typed, on a machine where `kensa` is logged in."""
    out, answers = io.StringIO(), iter(typed)
    console = Console(file=out, width=200)

    def typing(prompt: str) -> str:
        console.print(prompt)
        answer = next(answers, None)
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr(console, "input", typing)
    monkeypatch.setattr("sys.stdin.isatty", lambda: terminal)
    monkeypatch.setattr("getpass.getuser", lambda: "kensa")
    return console, out


def test_the_tester_is_asked_for_at_a_terminal_until_the_name_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    console, out = naming(monkeypatch, "試験\x1b[D", "4111111111111111", "試験　太郎")
    assert who_tests(console, None, unattended=False) == "試験　太郎", "with the wide blank of Japanese names"
    assert "a control sequence, as of an arrow key" in out.getvalue()
    assert "looks like a card number" in out.getvalue()
    assert "[kensa]" in out.getvalue()
    assert who_tests(naming(monkeypatch, "")[0], None, unattended=False) == "kensa"


def test_the_tester_is_not_asked_for_where_he_is_told_or_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert who_tests(naming(monkeypatch)[0], "試験　花子", unattended=False) == "試験　花子"
    assert who_tests(naming(monkeypatch)[0], None, unattended=True) == "kensa"
    assert who_tests(naming(monkeypatch, terminal=False)[0], None, unattended=False) == "kensa"
    with pytest.raises(Wrong, match="--by: give the name"):
        who_tests(naming(monkeypatch)[0], None, unattended=False)


def test_a_person_may_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Ended):
        asked(monkeypatch, "q")[0].ask(WORDS)


def test_where_nobody_is_there_nobody_has_done_it() -> None:
    assert Nobody("試験").ask(WORDS).answer is Answer.CANNOT
