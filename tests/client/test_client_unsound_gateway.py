"""A gateway that says what none should: the client finds an end to it, and no error reaches the event loop."""

import pytest

from client import ConnectError
from client.aio import _pause_s
from client.link import decode
from schemas.client_frames import Pong


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"type":"pong"}',
        b'{"type":"pong","n":"1"}',
        b'{"type":"pong","n":1,"later":' + b"[" * 100_000,
        b'{"type":"later","n":' + b'{"a":' * 100_000,
    ],
)
def test_a_frame_that_is_none_is_told_as_such(payload: bytes) -> None:
    with pytest.raises(ConnectError, match="a frame that protocol version 1 does not have"):
        decode(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"settled","reference":"a","delivery_no":1,"confirmed":false,"confirmed":true}',
        b'{"type":"settled","reference":"a","delivery_no":1,"confirmed":false,"\\u0063onfirmed" : true}',
        b'{"type":"reply","reference":"a","delivery_no":1,"confirm":false,"status":"declined","status":"approved"}',
        b'{"type":"refused","code":"x","text_ja":"","text_en":"","retryable":true,"inquire":true,"closing":true,"code":"y"}',
        b'{"type":"pong","n":1,"later":{"a":1,"a":2}}',
    ],
)
def test_a_frame_that_says_something_twice_says_nothing(payload: bytes) -> None:
    with pytest.raises(ConnectError, match="a field that stands twice"):
        decode(payload)


def test_a_name_that_stands_in_two_objects_stands_twice_in_none() -> None:
    assert decode(b'{"type":"pong","n":1,"later":{"n":2,"type":"x"},"more":[{"n":3},{"n":"\\""}]}') == Pong(n=1)


def test_what_a_later_version_may_say_is_passed_over() -> None:
    assert decode(b'{"type":"later","n":[[[1]]]}') is None
    assert decode(b'{"type":"pong","n":1,"later":[[[1]]]}') == Pong(n=1)


def test_the_pause_after_setbacks_doubles_and_has_a_limit_for_ever() -> None:
    assert [_pause_s(setbacks) for setbacks in (1, 2, 3, 4, 5, 6, 7, 100, 10_000)] == [
        0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0,
    ]  # fmt: skip
