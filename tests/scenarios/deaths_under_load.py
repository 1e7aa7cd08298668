"""Payments of all customers, while one process after the other dies."""

from collections.abc import Callable, Sequence

from whole_gateway import wait_until

from ops.commands.drill import Load
from ops.mixture import Mixture


def pay_while_dying(mixtures: Sequence[Mixture], every: int, deaths: Sequence[Callable[[], object]]) -> int:
    """Have all payments made, and after each `every` of them the next death happen; gives how many were made."""
    made = 0

    def advance() -> None:
        nonlocal made
        made += 1

    load = Load(mixtures, advance)
    load.start()
    for number, death in enumerate(deaths, 1):
        wait_until(lambda target=number * every: made >= target or not load.is_alive(), 120)  # type: ignore[misc]
        assert load.is_alive(), "the load was over before the last kill: nothing would be shown"
        death()
    load.join(120)
    assert load.error is None
    return made
