"""What a recorded run holds: flows, and in each the telegrams that really travelled, as bytes.

A record is a JSON file. `denbun images` writes one of every run, and makes the same documents of it again, without a
gateway. It holds bytes in clear, so the cards in it must be test cards; what is shown of them is decided when documents
are made (`images.cards`).
"""

from pathlib import Path

import msgspec

from schemas.telegrams import Role

FORMAT = 1


class RecordError(Exception):
    """A record cannot be read or used. The message names the place and the remedy, and no card data."""


class Travelled(msgspec.Struct, frozen=True, kw_only=True):
    """One telegram. `way` is seen from the gateway: ``→`` to the partner. `data`: hexadecimal, without framing."""

    way: str
    role: Role
    line: str
    at_ms: int
    data: str

    @property
    def payload(self) -> bytes:
        """The bytes. Raises `ValueError`."""
        return bytes.fromhex(self.data)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request of a client, and what it heard: at once (None: it was gone by then), and when all was over."""

    request: Role
    amount: int
    told: str | None
    ended: str


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One course of telegrams. `name` is that of `images.catalogue`."""

    name: str
    asks: tuple[Asked, ...]
    telegrams: tuple[Travelled, ...]


class PartnerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What travelled between the gateway and one partner.

    `layout`: packaged layouts by name, or their folder; `digest` what they were then. `carries`: by the code on an
    envelope 搬送電文 the layouts of what is inside.
    """

    partner: str
    layout: str
    digest: str
    report_timeout_ms: int
    cancel_timeout_ms: int
    flows: tuple[Flow, ...]
    carries: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `made_at`: ISO 8601 with zone; `commit`: of the source that ran, None where that is not known."""

    format: int
    made_at: str
    version: str
    commit: str | None
    partners: tuple[PartnerRecord, ...]


def write_record(record: Record, file: Path) -> None:
    """Write it. Raises `OSError`."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(file: Path) -> Record:
    """The record in a file. Raises `RecordError`."""
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except OSError as error:
        raise RecordError(
            f"{file}: {error.strerror or error}: name a record that `denbun images` has written"
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(f"{file} is no record: {error}: have `denbun images` write it anew") from None
    if record.format != FORMAT:
        raise RecordError(f"{file} has format {record.format}, this version reads {FORMAT}: record anew")
    return record
