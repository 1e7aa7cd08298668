"""The tester of an acceptance at this terminal: his name, and what he answers. What he types goes into the evidence."""

import contextlib
import getpass
import sys

from rich.console import Console
from rich.markup import escape

from acceptance.deeds import Words
from ops.acceptance_people import Answer, Ended, Said
from ops.commands.desk import Wrong, name_text
from pipeline.logs import blacken
from schemas.plain_text import fault_in


def who_tests(console: Console, given: str | None, *, unattended: bool) -> str:
    """Who tests: as told, or asked of a person at a terminal, or who is logged in. Raises `Wrong`."""
    login = _login()
    if given is not None or unattended or not sys.stdin.isatty():
        return name_text(login if given is None else given)
    while True:
        try:
            typed = console.input(escape(f"試験者氏名  tester's name, for the evidence [{login}] > "))
            return name_text(typed.strip() or login)
        except EOFError:
            raise Wrong("--by: give the name of the tester") from None
        except Wrong as error:
            console.print(str(error), style="red", markup=False)


def _login() -> str:
    """Who is logged in; empty where the machine does not know."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


class AtConsole:
    """The tester at this terminal."""

    def __init__(self, console: Console, name: str) -> None:
        self.name = name
        self._console = console
        with contextlib.suppress(ImportError):  # where there is none, keys that edit are refused as control characters
            import readline  # noqa: PLC0415

            readline.set_auto_history(False)

    def ask(self, words: Words) -> Said:
        """Have him do or look at this."""
        self._console.print(f"[bold yellow]手動[/bold yellow] {escape(words.ja)}\n     {escape(words.en)}")
        while True:
            self._console.print(
                "     y=はい・完了 yes  n=いいえ no  s=実施不可 cannot  q=中断 quit  ＋備考 and a remark >"
            )
            try:
                typed = self._console.input().strip()
            except EOFError:
                raise Ended from None
            if (fault := fault_in(typed)) is not None:
                self._console.print(f"     {fault}。入力し直してください  type it again", style="red", markup=False)
                continue
            answer, remark = [*typed.split(maxsplit=1), "", ""][:2]
            remark = blacken(remark)  # it is kept, in clear
            match answer.lower():
                case "y":
                    return Said(Answer.YES, remark)
                case "n":
                    return Said(Answer.NO, remark or "確認者が「いいえ」と回答  the tester said no")
                case "s":
                    return Said(Answer.CANNOT, remark or "確認者が実施不可と回答  the tester said it cannot be done")
                case "q":
                    raise Ended
