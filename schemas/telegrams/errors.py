"""What can go wrong with a telegram or a layout. No text here ever holds a value of a field."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.telegrams.roles import Role


class Problem(ValueError):  # noqa: N818 (never leaves the package; the codec turns it into one of the errors below)
    """What is wrong with one field, and at which of its bytes. Raised and caught inside the codec."""

    def __init__(self, text: str, at: int = 0) -> None:
        super().__init__(text)
        self.at = at


class TelegramError(Exception):
    """The base of `EncodeError` and `DecodeError`."""

    def __init__(self, partner: str, role: Role | None, field: str | None, offset: int | None, problem: str) -> None:
        where = f"{partner} telegram {role.value}" if role else f"{partner} telegram"
        if field is not None:
            where += f", field {field}"
        if offset is not None:
            where += f" at byte {offset}"
        super().__init__(f"{where}: {problem}")
        self.partner = partner
        self.role = role
        self.field = field
        self.offset = offset
        self.problem = problem


class EncodeError(TelegramError):
    """The values do not make a telegram of this layout; nothing was written."""


class DecodeError(TelegramError):
    """The bytes are not a telegram of this partner. `role`, `field` and `offset` are None when not known."""


class FramingError(Exception):
    """The stream cannot be cut into telegrams any more: close the connection, the next telegram cannot be found.

    `telegrams` are those that were complete before the fault and not yet handed out; `offset` counts the bytes of the
    stream up to the fault.
    """

    def __init__(self, problem: str, offset: int, telegrams: list[bytes]) -> None:
        super().__init__(f"byte {offset} of the stream: {problem}")
        self.problem = problem
        self.offset = offset
        self.telegrams = telegrams


class Fault(NamedTuple):
    """One thing wrong with a layout: the file, the field or key (or None), what is wrong, and the remedy."""

    file: str
    field: str | None
    problem: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        return f"{place}: {self.problem}; {self.remedy}"


class LayoutError(Exception):
    """The layouts of a partner cannot be used. `faults` holds every fault of every file at once."""

    def __init__(self, partner: str, faults: Sequence[Fault]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__("\n".join([f"layouts of {partner}: {count}", *(f"  {fault}" for fault in faults)]))
        self.partner = partner
        self.faults = tuple(faults)
