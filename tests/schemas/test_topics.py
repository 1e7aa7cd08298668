"""The topic table: what is created from it, and what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.topic_config import config_of
from schemas.topics import BY_NAME, NAME_PATTERN, TABLE, Spread, Topics, markdown

DAY_MS = 86_400_000


def test_creations_of_an_installation() -> None:
    wanted = {each.name: each for each in Topics("dev-").creations(["cafis-1", "cardnet-1"], 6, 2)}
    singles = {f"dev-{topic.name}" for topic in TABLE if not topic.per_line}
    families = {f"dev-{topic.name}.{line}" for topic in TABLE if topic.per_line for line in ("cafis-1", "cardnet-1")}
    assert wanted.keys() == singles | families
    assert wanted["dev-requests"].partitions == 6
    assert wanted["dev-replies"].partitions == 2
    assert wanted["dev-dispatch.cafis-1"].partitions == 1
    assert wanted["dev-requests"].config == config_of(7 * DAY_MS, 1)
    assert wanted["dev-transactions"].config == config_of(None, 1)


def test_lines_may_be_given_one_after_the_other() -> None:
    lines = ["a", "b"]
    assert Topics().creations(iter(lines), 1, 1) == Topics().creations(lines, 1, 1)


def test_topics_of_one_service_that_own_state_together_have_the_same_partitions() -> None:
    count = {each.name: each.partitions for each in Topics().creations(["x"], 12, 3)}
    together = [topic.name for topic in TABLE if topic.spread is Spread.BY_TRANSACTION]
    assert {count[name] for name in together} == {12}
    assert {"requests", "reports", "deliveries", "settlements", "transactions"} <= set(together)  # router
    assert {"timeouts", "undelivered", "cancel-reports", "cancels"} <= set(together)  # faults


def test_two_prefixes_share_no_topic() -> None:
    one = {each.name for each in Topics("one-").creations(["x"], 1, 1)}
    two = {each.name for each in Topics("two-").creations(["x"], 1, 1)}
    assert not one & two


@pytest.mark.parametrize("prefix", ["", "dev-", "a_B-9"])
@pytest.mark.parametrize("topic", TABLE, ids=lambda topic: topic.name)
def test_the_row_of_a_full_name_is_found_again(prefix: str, topic: object) -> None:
    row = BY_NAME[getattr(topic, "name", "")]
    topics = Topics(prefix)
    full = topics(row.name, "cafis-1") if row.per_line else topics(row.name)
    assert full == f"{prefix}{row.name}.cafis-1" if row.per_line else f"{prefix}{row.name}"
    assert topics.base(full) == row.name
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,249}", full)  # Kafka's own rule


def test_a_line_is_named_where_there_is_one_topic_per_line_and_nowhere_else() -> None:
    with pytest.raises(AssertionError, match="requests"):
        Topics()("requests", "cafis-1")
    with pytest.raises(AssertionError, match="dispatch"):
        Topics()("dispatch")


def test_rows_are_unique_and_complete() -> None:
    names = [topic.name for topic in TABLE]
    assert len(set(names)) == len(names)
    for topic in TABLE:
        assert re.fullmatch(NAME_PATTERN, topic.name)
        assert topic.writers
        assert topic.readers
        assert topic.holds or topic.name == "schemas"  # which are no records
        assert topic.says
        assert topic.keep_ms is None or topic.keep_ms >= DAY_MS
        assert not topic.per_line or topic.spread is Spread.ONE


def test_a_state_has_one_writer() -> None:
    assert {topic.name: topic.writers for topic in TABLE if topic.keep_ms is None and len(topic.writers) > 1} == {}


def test_the_documentations_table_says_every_row() -> None:
    head, rule, *rows = markdown().splitlines()
    assert head == "| topic | key | partitions | writer → reader | records | kept | what a record says |"
    assert rule == "|---|---|---|---|---|---|---|"
    assert len(rows) == len(TABLE)
    for topic, row in zip(TABLE, rows, strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == (f"{topic.name}.&lt;line&gt;" if topic.per_line else topic.name)
        assert cells[1:3] == [topic.key, topic.spread.value]
        assert cells[3] == f"{', '.join(topic.writers)} → {', '.join(topic.readers)}"
        assert cells[4] == ", ".join(record.__name__ for record in topic.holds)
        assert cells[5] == ("compacted" if topic.keep_ms is None else f"{topic.keep_ms // DAY_MS} d")
        assert cells[6] == topic.says


def test_the_command_prints_the_table() -> None:
    root = Path(__file__).parents[2]
    printed = subprocess.run(
        [sys.executable, "-m", "schemas.topics"],
        cwd=root,
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=60,
    )
    assert printed.stdout == markdown()


def test_a_service_uses_what_it_reads_or_writes_and_the_schemas() -> None:
    def used(service: str) -> set[str]:
        return {each.name for each in Topics("x-").used_by(service, ["a", "b"], 6, 2, 3)}

    assert used("ingress") == {"x-requests", "x-replies", "x-deliveries", "x-schemas", "x-clocks"}
    assert {"x-transactions", "x-lines", "x-dispatch.a", "x-dispatch.b", "x-reports"} <= used("router")
    assert {"x-sent.a", "x-holds", "x-line-orders", "x-dispatch.b", "x-cancel-reports"} <= used("egress")
    assert {"x-cancels", "x-attention", "x-operator-commands", "x-dispatch.a"} <= used("faults")
    assert not used("router") & {"x-cancels", "x-holds", "x-sent.a"}
    wanted = {each.name: each for each in Topics("x-").creations(["a", "b"], 6, 2, 3)}
    assert all(wanted[each.name] == each for each in Topics("x-").used_by("egress", ["a", "b"], 6, 2, 3))
