"""The tester of an acceptance at this terminal: his name, and what he answers. What he types goes into the evidence."""

import getpass
import sys

from rich.console import Console
from rich.markup import escape

from acceptance.deeds import Words
from ops.acceptance_people import Answer, Ended, Said
from ops.commands.desk import Wrong, is_line, name_text
from pipeline.logs import blacken


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

    def ask(self, words: Words) -> Said:
        """Have him do or look at this."""
        self._console.print(f"[bold yellow]手動[/bold yellow] {escape(words.ja)}\n     {escape(words.en)}")
        while True:
            typed = self._console.input("     y=はい・完了 yes  n=いいえ no  s=実施不可 cannot  q=中断 quit > ").strip()
            if not is_line(typed):
                self._console.print(
                    "     制御文字（矢印キーなど）は使えません。もう一度  no control characters: once more"
                )
                continue
            answer, _, remark = typed.partition(" ")
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
