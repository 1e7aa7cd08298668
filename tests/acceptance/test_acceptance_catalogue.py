"""The catalogue: the packaged one can be read for every partner and step, and every fault names its place."""

import re
from pathlib import Path

import pytest
from acceptance_rig import PARTNERS, catalogue_of, partner_named

from acceptance.cards import CARDS
from acceptance.cases import Case, Environment, PartnerStep
from acceptance.catalogue import CatalogueError, load_catalogue
from acceptance.deeds import DEEDS
from acceptance.telling import told_step
from acceptance.words import OUT, STATION, WORDS, code_for
from images.cards import TEST_NUMBERS
from ops.drills import drill_named
from schemas.telegrams import FAULT_COMMANDS, REPORT_OF, Role
from simulator.rule_files import rule_from
from simulator.rules import Deed

of_each = pytest.mark.parametrize("partner", PARTNERS)
EVERY = [(partner, environment) for partner in PARTNERS for environment in Environment]
of_all = pytest.mark.parametrize(("partner", "environment"), EVERY)


def cases(partner: str) -> list[Case]:
    return [case for environment in Environment for case in catalogue_of(partner, environment).cases]


# --- the packaged catalogue


@of_all
def test_every_step_of_the_roadmap_has_cases_with_ids_of_its_own(partner: str, environment: Environment) -> None:
    ids = [case.id for case in catalogue_of(partner, environment).cases]
    letter = {"dev": "D", "brand": "B", "production": "P"}[environment]
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(rf"(CAF|CDN)-{letter}-[1-9]\d\d(-[A-Z0-9]+)?", each) for each in ids)
    assert all(len(each) <= 31 for each in ids), "the name of a sheet"


@of_each
def test_a_code_of_the_partner_makes_a_case_of_its_own(partner: str) -> None:
    spec = partner_named(partner)
    ids = {case.id for case in catalogue_of(partner).cases}
    front = {"cafis": "CAF", "cardnet": "CDN"}[partner]
    for word in ("C13", "C14", "C50"):
        assert {f"{front}-D-310-{code_for(spec, word)}", f"{front}-D-410-{code_for(spec, word)}"} <= ids


@of_each
def test_every_report_says_what_it_answers_and_every_cancel_names_its_original(partner: str) -> None:
    for case in cases(partner):
        for each in case.telegrams:
            if each.role in FAULT_COMMANDS:
                assert each.original is not None, case.id
                assert each.amount is not None, case.id
                assert each.route is not None, case.id
            if each.role in (*REPORT_OF.values(), Role.ERROR_REPORT):
                assert each.answers is not None, case.id


@of_each
def test_a_report_answers_a_telegram_of_the_kind_it_answers(partner: str) -> None:
    for case in cases(partner):
        for each in case.telegrams:
            if each.answers is None or each.role is Role.ERROR_REPORT:
                continue
            asked = case.telegrams[each.answers - 1]
            assert REPORT_OF[asked.role] is each.role, case.id
            assert asked.way != each.way, case.id


@of_each
def test_the_centre_takes_every_behaviour_that_a_case_asks_for(partner: str) -> None:
    spec = partner_named(partner)
    assert DEEDS.keys() <= {*Deed}
    for case in cases(partner):
        for step in case.steps:
            if isinstance(step, PartnerStep):
                rule = {"role": [str(WORDS[word]) for word in step.telegrams], "do": step.deed}
                if step.code is not None:
                    rule["code"] = code_for(spec, step.code)
                if not set(step.telegrams) & STATION.keys():
                    rule["terminal_id"] = "4980000000001"
                rule_from(rule, spec, case.id)


@of_each
def test_every_step_is_told_in_both_languages_without_a_blank_left_in_it(partner: str) -> None:
    for case in cases(partner):
        words = [told_step(step, partner_named(partner)) for step in case.steps]
        texts = [text for each in words for text in each]
        texts += [case.ja, case.en, case.given_ja, case.given_en]
        assert all(texts), case.id
        assert not any("{" in text for text in texts), case.id


@of_each
def test_what_is_cancelled_or_with_a_person_is_told_so(partner: str) -> None:
    """The expectations of a case agree with one another, as the money invariants demand."""
    for case in cases(partner):
        ends = {ask.name: ask.ends for ask in case.asks}
        roles = [each.role for each in case.telegrams]
        assert set(case.attention) == {name for name, end in ends.items() if end == "attention"}, case.id
        assert (set(roles) & set(FAULT_COMMANDS) != set()) == bool(case.held), case.id
        for ask in case.asks:
            if ask.ends == "approved" and ask.reference_of is None:
                assert ask.name in case.stands, case.id
            if ask.ends in ("declined", "turned_round", "in_error", "cancelled"):
                assert ask.name not in case.stands, case.id
            if ask.ends == "attention":
                assert roles[-1] in (
                    *FAULT_COMMANDS,
                    Role.FAULT_CANCEL_REPORT,
                    Role.FAULT_CONFIRM_REPORT,
                    Role.ERROR_REPORT,
                )


def test_a_drill_that_a_case_runs_is_there() -> None:
    drills = [step for case in cases("cafis") for step in case.steps if hasattr(step, "drill")]
    assert drills
    assert all(drill_named(step.drill) is not None for step in drills)


def test_the_test_cards_are_published_test_numbers() -> None:
    assert {card.number for card in CARDS.values()} <= TEST_NUMBERS
    assert "411111" not in repr(CARDS["visa"])


def test_production_only_looks_but_for_a_small_sale_and_its_cancel_which_a_person_confirms() -> None:
    for case in catalogue_of("cafis", Environment.PRODUCTION).cases:
        assert not case.of_partner
        if case.asks:
            assert {ask.amount for ask in case.asks} == {1}
            assert case.manual
            assert case.steps[0] not in case.asks
    assert any(case.asks for case in catalogue_of("cafis", Environment.PRODUCTION).cases)


def test_a_request_goes_out_for_no_case_that_expects_a_refusal_alone() -> None:
    for case in cases("cafis"):
        if case.asks and all((ask.told or "").startswith(("refused", "rejected")) for ask in case.asks):
            assert not [each for each in case.telegrams if each.way == OUT and each.role not in STATION.values()]


# --- faults

CHAPTER = '[chapter]\nnumber = "1"\nja = "章"\nen = "chapter"\ngiven_ja = "前提"\ngiven_en = "given"\n'
CASE = """
[[case]]
number = "101"
ja = "売上"
en = "sale"
on = ["dev"]
severity = "major"
requirements = ["R4"]
steps = [{ do = "ask", kind = "sale", amount = 100, told = "approved" }]
telegrams = ["→ sale amount=a", "← sale_report answers=1"]
"""


def with_ask(more: str) -> str:
    """The ask has this key, too."""
    return CHAPTER + CASE.replace("amount = 100", f"amount = 100, {more}")


def after_step(step: str) -> str:
    """There is this step before."""
    return CHAPTER + CASE.replace("steps = [", f"steps = [{step}, ")


FAULTS = {
    "not TOML": ("[[case", "not TOML"),
    "a byte order mark": ("\ufeff" + CHAPTER + CASE, r"byte order mark \(BOM\): save the file as UTF-8"),
    "another section": (CHAPTER + CASE + "[other]\n", r"other: unknown: only \[chapter\] and \[\[case\]\]"),
    "no chapter": (CASE, "chapter: .*number"),
    "unknown key": (CHAPTER + CASE + "colour = 1\n", "case 101: unknown name 'colour': use one of: alone, any_order"),
    "misspelled key": (CHAPTER + CASE + "steps_ = []\n", "case 101: unknown name 'steps_': did you mean steps?"),
    "missing key": (CHAPTER + CASE.replace('severity = "major"\n', ""), "case 101: .*severity"),
    "number of another chapter": (CHAPTER + CASE.replace('"101"', '"201"'), "case 201: number: three digits"),
    "number twice": (CHAPTER + CASE + CASE, "case 101: number: is in 1.toml already"),
    "no environment": (CHAPTER + CASE.replace('["dev"]', "[]"), "case 101: on: is empty"),
    "unknown environment": (CHAPTER + CASE.replace('["dev"]', '["moon"]'), "case 101: .*moon"),
    "no step": (CHAPTER + re.sub(r"steps = .*", "steps = []", CASE), "case 101: steps: is empty"),
    "unknown step": (
        CHAPTER + CASE.replace('do = "ask"', 'do = "sing"'),
        r"case 101: steps\[0\].do: unknown value 'sing': use one of: ask, ",
    ),
    "unknown key of a step": (with_ask("amonut = 1"), r"case 101: steps\[0\]: .*'amonut': did you mean amount\?"),
    "no requirement": (CHAPTER + CASE.replace('["R4"]', "[]"), "case 101: requirements: is empty"),
    "unknown requirement": (CHAPTER + CASE.replace('["R4"]', '["Q4"]'), "case 101: requirements: Q4"),
    "unknown set": (CHAPTER + CASE + 'each = "colour"\n', "case 101: each: no colour: use one of: declined"),
    "unknown card": (with_ask('card = "x"'), r"steps\[1\].card: no test card x"),
    "nobody asks": (with_ask("count = 0"), r"steps\[1\].count"),
    "unknown request stands": (CHAPTER + CASE + 'stands = ["z"]\n', "stands: no request is named z: one of a"),
    "unknown arrow": (CHAPTER + CASE.replace("→ sale ", "- sale "), "telegrams: line 1 .*write an arrow"),
    "unknown telegram": (CHAPTER + CASE.replace("→ sale ", "→ gift "), "telegrams: line 1 .*no telegram gift"),
    "misspelled telegram": (CHAPTER + CASE.replace("→ sale ", "→ sael "), r"no telegram sael: did you mean sale\?"),
    "misspelled expectation": (CHAPTER + CASE.replace("amount=a", "amuont=a"), r"of the key: did you mean amount\?"),
    "unknown expectation": (CHAPTER + CASE.replace("amount=a", "colour=a"), "line 1 .*colour=a is no expectation"),
    "expectation twice": (CHAPTER + CASE.replace("amount=a", "amount=a amount=1"), "line 1 .*amount is there twice"),
    "a later line": (CHAPTER + CASE.replace("answers=1", "answers=2"), "line 2 .*answers=2: give the number"),
    "no such amount": (CHAPTER + CASE.replace("amount=a", "amount=b"), "line 1: amount=b: give yen, or one of a"),
    "no such result": (CHAPTER + CASE.replace("answers=1", "answers=1 result=zz"), "line 2: result=zz: an outcome"),
    "no such error": (CHAPTER + CASE.replace("answers=1", "answers=1 error=C99"), "line 2: error=C99"),
    "no such field": (CHAPTER + CASE.replace("amount=a", "with=hat"), "line 1: hat: sale_request of cafis has no such"),
    "no such count": (CHAPTER + CASE.replace("amount=a", "times=some"), "line 1 .*times=some: give a number"),
    "no such brand": (CHAPTER + CASE.replace("amount=a", "card=x"), "line 1: card=x: one of visa"),
    "misspelled deed": (after_step('{ do = "partner", to = "sale", deed = "silnt" }'), r"did you mean silent\?"),
    "unknown deed": (
        after_step('{ do = "partner", to = "sale", deed = "sleep" }'),
        r"steps\[1\].deed: no deed sleep",
    ),
    "deed to an unknown telegram": (
        after_step('{ do = "partner", to = "gift", deed = "silent" }'),
        r"steps\[1\].to: no telegram gift",
    ),
    "late without a word when": (
        after_step('{ do = "partner", to = "sale", deed = "late" }'),
        r"steps\[1\].after: belongs to the deed late",
    ),
    "unknown code": (
        after_step('{ do = "partner", to = "sale", deed = "decline", code = "Q1" }'),
        r"steps\[1\].code: cafis has no code Q1",
    ),
    "unknown event": (
        after_step('{ do = "event", event = "party" }'),
        r"steps\[1\].event: no event party",
    ),
    "inquiry about nothing": (
        after_step('{ do = "inquire", name = "z", told = "approved" }'),
        r"steps\[1\]: no request is named z",
    ),
}  # fmt: skip


def read(folder: Path, text: str) -> tuple[Case, ...]:
    (folder / "1.toml").write_text(text, "utf-8")
    return load_catalogue(partner_named("cafis"), Environment.DEV, folder).cases


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_names_file_case_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=rf"^1\.toml: .*{said}") as raised:
        read(tmp_path, text)
    assert ": " in str(raised.value).removeprefix("1.toml: "), "with a remedy"


def test_the_same_without_a_fault_is_read(tmp_path: Path) -> None:
    (case,) = read(tmp_path, CHAPTER + CASE)
    assert (case.id, case.given_ja, [each.text for each in case.telegrams]) == (
        "CAF-D-101", "前提", ["→ sale amount=a", "← sale_report answers=1"],
    )  # fmt: skip


def test_a_folder_without_files_is_no_catalogue(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(CatalogueError, match="no catalogue: name a folder"):
            load_catalogue(partner_named("cafis"), Environment.DEV, folder)


def test_another_text_is_another_catalogue(tmp_path: Path) -> None:
    digests = set()
    for text in (CHAPTER + CASE, CHAPTER + CASE.replace("amount = 100", "amount = 101")):
        (tmp_path / "1.toml").write_text(text, "utf-8")
        digests.add(load_catalogue(partner_named("cafis"), Environment.DEV, tmp_path).digest)
    assert len(digests) == 2
