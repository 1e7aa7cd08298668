"""``python -m fuzz [TARGET] --seconds N --jobs N``: look for findings, guided by the code that is reached."""

import importlib.util
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from fuzz import corpus
from fuzz.seeds import tokens
from fuzz.targets import TARGETS

_FOUND = corpus.ROOT / ".denbun" / "fuzz"  # what earlier runs came upon; not under version control
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+([0-9]+)")
_ENDING_S = 120  # for the imports before, and the last input
_WIDTH = max(map(len, TARGETS))

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Ran(NamedTuple):
    """What one process came to."""

    executions: int
    finding: str | None  # what it said about it


def _target(name: str | None) -> str | None:
    if name is not None and name not in TARGETS:
        raise typer.BadParameter(f"there is no target {name}: one of {', '.join(TARGETS)}")
    return name


@app.command()
def main(
    target: Annotated[str | None, typer.Argument(help="one target; without it, all", callback=_target)] = None,
    seconds: Annotated[int, typer.Option(min=1, max=604_800, help="how long each process looks")] = 60,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="processes at a time")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="then put what adds to the committed corpus there")] = False,
    input_file: Annotated[Path | None, typer.Option("--input", help="only run this input, without atheris")] = None,
) -> None:
    """Look for findings. Ends with 1 when there is one, with 2 where atheris is not installed."""
    if input_file is not None:
        for name in [target] if target else TARGETS:
            TARGETS[name](input_file.read_bytes())
        return
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: it has wheels for Linux on x86-64 (pip install -e '.[dev]');", file=sys.stderr)
        print("`make test` runs the same targets without it, on the corpus and mutations of it", file=sys.stderr)
        raise typer.Exit(2)
    names = [target] * jobs if target else list(TARGETS)
    _prepare(set(names))
    with ThreadPoolExecutor(jobs) as pool:
        ran = list(pool.map(lambda name: _run(name, seconds), names))
    for name in dict.fromkeys(names):
        _tell(name, [each for other, each in zip(names, ran, strict=True) if other == name])
    if keep:
        for name in dict.fromkeys(names):
            size = corpus.keep(name, [*corpus.of(name), *corpus.read(_FOUND / name)])
            print(f"{name:{_WIDTH}} {size:3} inputs in the corpus")
    raise typer.Exit(1 if any(each.finding for each in ran) else 0)


def _prepare(names: set[str]) -> None:
    for name in names:
        (_FOUND / name).mkdir(parents=True, exist_ok=True)
    (_FOUND / "findings").mkdir(exist_ok=True)
    words = ("".join(f"\\x{byte:02x}" for byte in token) for token in tokens())
    (_FOUND / "tokens").write_text("".join(f'"{word}"\n' for word in words), "ascii")


def _run(name: str, seconds: int) -> Ran:
    command = [
        sys.executable, "-m", "fuzz.guided", name,
        str(_FOUND / name), str(corpus.CORPUS / name),
        f"-max_total_time={seconds}", f"-max_len={corpus.BYTES_MAX}", f"-dict={_FOUND / 'tokens'}",
        f"-artifact_prefix={_FOUND / 'findings'}/{name}-", "-timeout=25", "-rss_limit_mb=1024", "-print_final_stats=1",
        "-reload=1",
    ]  # fmt: skip
    began = time.monotonic()
    ran = subprocess.run(
        command, cwd=corpus.ROOT, capture_output=True, text=True, errors="replace", check=False,
        timeout=seconds + _ENDING_S,
    )  # fmt: skip
    executed = _EXECUTED.search(ran.stderr)
    finding = None if ran.returncode == 0 else f"{ran.stderr[-1_500:]}\n{ran.stdout[-3_000:]}"  # the traceback last
    print(f"{name:{_WIDTH}} {time.monotonic() - began:6.1f} s", file=sys.stderr)
    return Ran(int(executed[1]) if executed else 0, finding)


def _tell(name: str, ran: list[Ran]) -> None:
    findings = [each.finding for each in ran if each.finding is not None]
    print(f"{name:{_WIDTH}} {sum(each.executions for each in ran):9,} executions, {len(findings)} findings")
    for finding in findings:
        print(finding)


if __name__ == "__main__":
    app()
