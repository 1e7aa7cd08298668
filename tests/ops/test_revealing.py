"""Card data is shown to whoever has the ring alone, after it was written down in a trail that shows tampering."""

import json
import os
from pathlib import Path

import pytest

from ops.revealing import Permit, RevealError, broken_line, permit, write_down
from schemas.sealing import create_ring, load_ring


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    create_ring(tmp_path / "ring.json")
    return tmp_path / "ring.json"


def given(ring: Path, audit: Path) -> Permit:
    return permit("Sato", "case 17", ring, audit)


def look(ring: Path, audit: Path, *, data: bytes = b"a telegram") -> None:
    write_down(given(ring, audit), "line.pcap", data, ["expiry", "pan"], [3])


def test_every_look_is_a_line_of_the_trail_and_of_standard_error(
    ring: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = tmp_path / "audit.jsonl"
    look(ring, audit)
    look(ring, audit)
    lines = audit.read_text("utf-8").splitlines()
    assert capsys.readouterr().err.splitlines() == lines
    first, second = map(json.loads, lines)
    assert {key: first[key] for key in ("operator", "reason", "source", "telegrams", "fields", "user_id")} == {
        "operator": "Sato", "reason": "case 17", "source": "line.pcap", "telegrams": [3], "fields": ["expiry", "pan"],
        "user_id": os.geteuid(),
    }  # fmt: skip
    assert (first["previous"], second["previous"]) == ("", first["code"])
    assert first["code"] != second["code"]
    assert audit.stat().st_mode & 0o777 == 0o600
    assert broken_line(audit.read_bytes(), load_ring(ring)) is None


def test_what_was_looked_at_is_named_by_a_digest_that_tells_nothing_without_the_ring(
    ring: Path, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.jsonl"
    look(ring, audit, data=b"4111111111111111")
    create_ring(tmp_path / "other.json")
    look(tmp_path / "other.json", tmp_path / "other.jsonl", data=b"4111111111111111")
    digests = [json.loads(path.read_text("utf-8"))["source_digest"] for path in (audit, tmp_path / "other.jsonl")]
    assert digests[0] != digests[1]
    assert "4111" not in audit.read_text("utf-8")


@pytest.mark.parametrize(
    ("tampered", "line"),
    [
        (lambda rows: [rows[0].replace(b"case 17", b"case 18"), *rows[1:]], 1),
        (lambda rows: [rows[0], rows[2]], 2),
        (lambda rows: [rows[1], rows[2]], 1),
        (lambda rows: [rows[0], rows[1], rows[1], rows[2]], 3),
        (lambda rows: [rows[0], b'{"code": "0"}', *rows[1:]], 2),
        (lambda rows: [rows[0], b"[]", *rows[1:]], 2),
    ],
)
def test_a_line_that_is_changed_taken_out_or_put_in_is_noticed_and_nothing_more_is_shown(
    ring: Path, tmp_path: Path, tampered: object, line: int
) -> None:
    assert callable(tampered)
    audit = tmp_path / "audit.jsonl"
    for _ in range(3):
        look(ring, audit)
    changed = b"".join(row + b"\n" for row in tampered(audit.read_bytes().splitlines()))
    audit.write_bytes(changed)
    with pytest.raises(RevealError, match=f"line {line}: was changed"):
        look(ring, audit)
    assert audit.read_bytes() == changed


def test_a_line_that_was_cut_is_noticed(ring: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    look(ring, audit)
    audit.write_bytes(audit.read_bytes()[:-1])
    with pytest.raises(RevealError, match="line 1: was changed"):
        look(ring, audit)


def test_a_trail_of_another_ring_is_not_gone_on_with(ring: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    look(ring, audit)
    create_ring(tmp_path / "other.json")
    with pytest.raises(RevealError, match="written under another ring"):
        look(tmp_path / "other.json", audit)


def test_a_ring_that_others_can_read_or_that_is_not_there_permits_nothing(ring: Path, tmp_path: Path) -> None:
    ring.chmod(0o640)
    with pytest.raises(RevealError, match="readable by others than its owner"):
        given(ring, tmp_path / "audit.jsonl")
    with pytest.raises(RevealError, match="No such file"):
        given(tmp_path / "none.json", tmp_path / "audit.jsonl")


def test_a_ring_of_another_user_permits_nothing(ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr("ops.revealing.os.geteuid", lambda: other)
    with pytest.raises(RevealError, match="belongs to another user"):
        given(ring, tmp_path / "audit.jsonl")


def test_where_nothing_can_be_written_down_nothing_is_permitted(ring: Path, tmp_path: Path) -> None:
    with pytest.raises(RevealError, match=r"--audit .*: Is a directory"):
        look(ring, tmp_path)
