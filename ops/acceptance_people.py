"""The person at an acceptance: asked what only people can do, or see. What nobody says is not made up."""

from enum import Enum
from typing import NamedTuple, Protocol

from acceptance.deeds import Words


class Answer(Enum):
    """What a person may say."""

    YES = "yes"  # done, or so it is
    NO = "no"  # it is not so: the case fails
    CANNOT = "cannot"  # it cannot be done here and now: the case is not run


class Said(NamedTuple):
    """An answer, and a remark that goes into the evidence."""

    answer: Answer
    remark: str = ""


class Ended(Exception):  # noqa: N818  it tells what happened
    """The person ends the run here; what was done stays, and can be continued."""


class Person(Protocol):
    """Who is asked."""

    @property
    def name(self) -> str: ...

    def ask(self, words: Words) -> Said:
        """Have this done or looked at, and hear how it was. Raises `Ended`."""
        ...


class Nobody:
    """An unattended run: whatever needs a person is not run."""

    def __init__(self, name: str) -> None:
        self.name = name

    def ask(self, words: Words) -> Said:
        """Nobody can be asked."""
        assert words.ja
        return Said(Answer.CANNOT, "立会者なしの実行（--unattended） unattended run")
