"""The routes of a line by themselves: which is given, to whom, and when it is free again."""

import pytest

from egress.routes import Routes


def taken(routes: Routes, *names: str) -> list[int | None]:
    return [routes.take(name) for name in names]


def test_the_route_longest_unused_is_given_and_none_when_there_is_none() -> None:
    routes = Routes(4, 6)
    assert (routes.free, routes.held) == (3, 0)
    assert taken(routes, "a", "b", "c", "d") == [4, 5, 6, None]
    assert routes.free == 0
    for route in (5, 4):
        routes.give_back(route)
    assert routes.free == 2
    assert taken(routes, "e", "f") == [5, 4]


def test_a_wanted_route_is_given_if_it_is_free_and_otherwise_another() -> None:
    routes = Routes(1, 3)
    assert routes.take("a", wanted=2) == 2
    assert routes.take("b", wanted=2) == 1
    assert routes.take("c", wanted=9) == 3
    assert routes.take("d", wanted=3) is None


def test_a_route_is_given_back_once() -> None:
    routes = Routes(1, 2)
    routes.give_back(1)  # it carries nothing
    assert routes.free == 2
    assert taken(routes, "a", "b", "c") == [1, 2, None]
    routes.give_back(1)
    routes.give_back(1)
    assert (routes.free, taken(routes, "d", "e")) == (1, [1, None])


def test_a_held_route_carries_its_own_transaction_alone() -> None:
    routes = Routes(1, 3)
    assert routes.take("a") == 1
    assert routes.hold(1, "a")
    routes.give_back(1)
    assert (routes.free, routes.held) == (2, 1)
    assert not routes.take_own(1, "b")
    assert routes.take_own(1, "a")
    assert routes.take_own(1, "a")  # its next cancel telegram
    routes.give_back(1)
    assert (routes.free, routes.held) == (2, 1)
    assert taken(routes, "b", "c", "d") == [2, 3, None]


def test_a_transaction_takes_its_own_route_though_it_is_not_held() -> None:
    routes = Routes(1, 3)
    assert routes.take_own(2, "a")
    assert routes.free == 2
    assert routes.taken(2, "b")
    assert not routes.taken(2, "a")
    assert not routes.take_own(2, "b")
    assert taken(routes, "b", "c", "d") == [1, 3, None]
    routes.give_back(2)
    assert not routes.taken(2, "b")
    assert routes.free == 1


@pytest.mark.parametrize("route", [0, 4])
def test_a_line_has_no_other_routes_than_its_own(route: int) -> None:
    routes = Routes(1, 3)
    assert not routes.take_own(route, "a")
    assert not routes.hold(route, "a")
    assert (routes.free, routes.held, routes.held_for("a")) == (3, 0, None)


@pytest.mark.parametrize("route", [1, 2, 3])
def test_a_free_route_is_held_and_is_free_no_more(route: int) -> None:
    routes = Routes(1, 3)
    assert routes.hold(route, "a")
    assert (routes.free, routes.held) == (2, 1)
    assert routes.holder(route) == "a"
    assert [routes.holder(other) for other in (1, 2, 3) if other != route] == [None, None]
    assert routes.taken(route, "b")
    assert not routes.taken(route, "a")
    assert route not in taken(routes, "b", "c")


def test_a_route_is_held_once_and_for_whom_it_was_held_first() -> None:
    routes = Routes(1, 3)
    assert routes.hold(1, "a")
    assert not routes.hold(1, "a")
    assert not routes.hold(1, "b")
    assert (routes.holder(1), routes.held, routes.held_for("b")) == ("a", 1, None)


def test_a_transaction_may_hold_several_and_lets_all_of_them_go() -> None:
    routes = Routes(1, 4)
    for route in (3, 1):
        assert routes.hold(route, "a")
    assert routes.hold(2, "b")
    assert (routes.held_for("a"), routes.held_for("b"), routes.held_for("c")) == (1, 2, None)
    assert routes.let_go("a") == [1, 3]
    assert (routes.free, routes.held, routes.held_for("a")) == (3, 1, None)
    assert routes.let_go("a") == []
    assert (routes.free, routes.held) == (3, 1)
    assert taken(routes, "c", "d", "e", "f") == [4, 1, 3, None]


def test_a_route_let_go_while_it_carries_something_is_free_when_that_is_answered() -> None:
    routes = Routes(1, 2)
    assert routes.take("a") == 1
    assert routes.hold(1, "a")
    assert routes.let_go("a") == [1]
    assert (routes.free, routes.held) == (1, 0)
    assert routes.taken(1, "b")
    routes.give_back(1)
    assert (routes.free, taken(routes, "b", "c", "d")) == (2, [2, 1, None])
