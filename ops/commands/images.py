"""``denbun images``: the acceptance documents 電文イメージ, from telegrams that travelled in a run of the whole gateway."""

import datetime as dt
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.markup import escape

from images.catalogue import CATALOGUE
from images.record import FORMAT, PartnerRecord, Record, RecordError, read_record, write_record
from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.installations import QUICK, LinePlan
from ops.processes import ProcessError
from ops.recording import RecordingError, record_carried, record_partners
from ops.stage import Say, playing
from pipeline.log import LogError
from schemas.telegrams import LayoutError, TelegramError, packaged
from simulator.control import ControlError

_JST = dt.timezone(dt.timedelta(hours=9))
_WAITS: dict[str, Any] = {**QUICK, "egress": {**QUICK["egress"], "probe_idle_ms": 3_000, "probe_timeout_ms": 2_000}}
_ROOT = Path(__file__).parents[2]


def record_run(folder: Path, *, partners: Sequence[str], servers: str | None, names: Sequence[str], say: Say) -> Record:
    """A run of the whole gateway with one line for each partner; then, where one carries another's, one of that.

    Raises `RecordingError` and what a stage raises.
    """
    prefix = f"images{int(time.time())}-" if servers else "images-"
    lines = [LinePlan(f"{partner}-1", partner, "dial") for partner in partners]
    with playing(
        folder / "direct", servers=servers, prefix=prefix, lines=lines, waits=_WAITS, record=True, say=say
    ) as stage:  # fmt: skip
        records = record_partners(stage, names, say)
        there = stage.plan.servers
        if "cafis" in partners and any(name.startswith("carried_") for name in names):
            carrying = [LinePlan("cafis-1", "cafis", "dial", carries=("cardnet",))]
            with playing(
                folder / "carried", servers=there, prefix=f"{prefix}mc-", lines=carrying, waits=_WAITS, record=True, say=say
            ) as second:  # fmt: skip
                records = [
                    record_carried(second, each, names, say) if each.partner == "cafis" else each for each in records
                ]
    return Record(
        format=FORMAT,
        made_at=dt.datetime.now(_JST).isoformat(timespec="seconds"),
        version=metadata.version("denbun"),
        commit=_commit(),
        partners=tuple(records),
    )


def _commit() -> str | None:
    """The commit of the source that runs, with a mark where it was changed since; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None if done.returncode == 0 else None
