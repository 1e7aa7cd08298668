"""What ``denbun run ingress --check`` finds before a process starts."""

from pathlib import Path

import pytest
from certificates import self_signed

from ingress.__main__ import main
from pipeline.service import MISCONFIGURED, OK

DEVELOPMENT = Path(__file__).parents[2] / "deploy" / "environments" / "development" / "denbun.toml"


@pytest.mark.parametrize("slot", ["0", "1"])
def test_a_slot_that_there_is_is_taken(slot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(DEVELOPMENT), "--check", "--slot", slot]) == OK
    assert capsys.readouterr().out == f"{DEVELOPMENT}: ok for ingress\n"


@pytest.mark.parametrize("slot", ["2", "-1"])
def test_a_slot_that_there_is_not_is_refused_with_the_remedy(slot: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(DEVELOPMENT), "--check", "--slot", slot]) == MISCONFIGURED
    assert capsys.readouterr().err == f"--slot {slot}: must be 0 to 1, or raise ingress.slots\n"


def test_a_certificate_is_tried_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tls = self_signed(tmp_path, "one")
    monkeypatch.setenv("DENBUN_INGRESS__TLS__CERTIFICATE", str(tls.certificate))
    monkeypatch.setenv("DENBUN_INGRESS__TLS__KEY", str(tls.key))
    assert main(["--config", str(DEVELOPMENT), "--check"]) == OK
    capsys.readouterr()
    tls.key.unlink()
    assert main(["--config", str(DEVELOPMENT), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err == (
        f"ingress.tls: {tls.certificate} and {tls.key} are not a certificate and its key (No such file or directory): "
        "name PEM files that belong together\n"
    )


def test_the_layouts_of_the_partners_are_tried_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unusable = tmp_path / "denbun.toml"
    text = DEVELOPMENT.read_text("utf-8")
    assert 'telegrams = "cafis"' in text
    unusable.write_text(text.replace('telegrams = "cafis"', f'telegrams = "{tmp_path}"'), "utf-8")
    assert main(["--config", str(unusable), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err.startswith("layouts of ")
