"""``denbun images``: the acceptance documents 電文イメージ, of telegrams that travelled in a run of the gateway."""

import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape

from images.building import FolderError, build, build_differences, check_folder
from images.catalogue import CATALOGUE
from images.editions import VersionError
from images.record import FORMAT, Record, RecordError, read_record
from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.installations import QUICK, LinePlan
from ops.interrupts import dropped_if_interrupted
from ops.outputs import OutputError, ensure_folder
from ops.processes import ProcessError
from ops.recording import CARRIED, RecordingError, record_carried, record_partners
from ops.stage import Say, playing
from ops.version import commit
from pipeline.config import ConfigError
from pipeline.log import LogError
from schemas.japan_time import JST
from schemas.telegrams import LayoutError, packaged
from simulator.control import ControlError

_WAITS: dict[str, Any] = {**QUICK, "egress": {**QUICK["egress"], "probe_idle_ms": 3_000, "probe_timeout_ms": 2_000}}
_CARRIER, _CARRIED = "cafis", "cardnet"  # whose line carries whose telegrams (MC 回線)
_ROOT = Path(__file__).parents[2]


def record_run(folder: Path, *, partners: Sequence[str], servers: str | None, names: Sequence[str], say: Say) -> Record:
    """A run of the whole gateway with one line for each partner; then, where one carries another's, one of that.

    Raises `RecordingError` and what a stage raises.
    """
    prefix = f"images{int(time.time())}-" if servers else "images-"
    lines = [LinePlan(f"{partner}-1", partner, "dial") for partner in packaged()]  # none may be without one
    kept: dict[str, Any] = {"waits": _WAITS, "record": True, "say": say}
    with playing(folder / "direct", servers=servers, prefix=prefix, lines=lines, **kept) as stage:
        records = record_partners(stage, partners, names, say)
        there = stage.plan.servers
        if _CARRIER in partners and any(name.startswith(CARRIED) for name in names):
            mc = [LinePlan(f"{_CARRIER}-1", _CARRIER, "dial", carries=(_CARRIED,))]
            with playing(folder / "carried", servers=there, prefix=f"{prefix}mc-", lines=mc, **kept) as second:
                records = [
                    record_carried(second, each, names, say) if each.partner == _CARRIER else each for each in records
                ]
    return Record(
        format=FORMAT,
        made_at=dt.datetime.now(JST).isoformat(timespec="seconds"),
        version=metadata.version("denbun"),
        commit=commit(),
        partners=tuple(records),
    )


class Wanted(NamedTuple):
    """What is asked for: the documents of a run, of a kept record, or of two versions of layouts."""

    out: Path
    partners: Sequence[str]  # none: all
    flows: Sequence[str]  # none: all
    record: Path | None
    versions: tuple[str, str] | None
    servers: str | None


def work(wanted: Wanted) -> int:
    """Make them; gives the exit status."""
    console = open_console()
    wrong = _wrong(wanted)
    if wrong is not None:
        console.print(wrong, style="red", markup=False)
        return 2
    try:
        first = _made(console, wanted)
    except (RecordError, VersionError, LayoutError, FolderError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    except _Failed:
        return 1
    console.print("電文イメージを作成しました  written:")
    for file in first:
        console.print(f"  {file}", markup=False, highlight=False, soft_wrap=True)
    return 0


def _made(console: Console, wanted: Wanted) -> list[Path]:
    if wanted.versions is not None:
        return build_differences(*wanted.versions, wanted.out)
    if wanted.record is not None:
        return build(read_record(wanted.record), wanted.out, wanted.partners)
    return build(_recorded(console, wanted), wanted.out, wanted.partners)


class _Failed(Exception):  # noqa: N818  it has been told
    """The run did not come about."""


def _wrong(wanted: Wanted) -> str | None:
    """What is wrong with the arguments, and what would be right."""
    if wanted.versions is not None and (wanted.partners or wanted.flows or wanted.record is not None):
        return "--differences: compares layouts, without a run: leave --partner, --flow and --record out"
    if wanted.record is not None and wanted.flows:
        return "--flow: what a record holds has been played: leave --flow or --record out"
    known = [entry.name for entry in CATALOGUE]
    for name in wanted.flows:
        if name not in known:
            return f"--flow: there is no flow {name}: one of {', '.join(known)}"
    for partner in wanted.partners if wanted.record is None else ():
        if partner not in packaged():
            return f"--partner: there is no partner {partner}: one of {', '.join(packaged())}"
    try:
        check_folder(wanted.out.absolute())
        ensure_folder("--out", wanted.out, new=False)
    except FolderError as error:
        return f"--out: {error}"
    except OutputError as error:
        return str(error)
    return None


def _recorded(console: Console, wanted: Wanted) -> Record:
    """Run everything and keep what travelled. Raises `_Failed`, having told why."""
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}")

    place = Path(tempfile.mkdtemp(prefix="denbun-images-"))
    partners, names = wanted.partners or packaged(), wanted.flows or [entry.name for entry in CATALOGUE]
    console.rule("電文の記録  recording telegrams")
    try:
        with dropped_if_interrupted(place):
            record = record_run(place, partners=partners, servers=wanted.servers, names=names, say=say)
    except (
        BrokerError, ProcessError, LogError, ControlError, ConfigError, RecordingError, OSError,
    ) as error:  # fmt: skip
        console.print(str(error), style="bold red", markup=False)
        console.print(f"what the processes said: {place}", markup=False)
        raise _Failed from None
    shutil.rmtree(place, ignore_errors=True)
    return record
