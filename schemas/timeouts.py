"""The time-outs of every stage, in one table: who owns each, what happens when it passes, and where that is decided.

Names and defaults are those of `schemas.installation`, and a test holds both together; `schemas.time_rules` says which
values contradict one another. ``python -m schemas.timeouts`` prints the documentation's tables.

Money and infrastructure are apart. A payment is never tried again by the gateway: what is in doubt is cancelled, and
the *cancel* is repeated, for it says which original it is about and is applied once. What is tried again without end
is the way to a broker, a partner or a gateway (`RETRIES`); while it is not there, nothing is decided.
"""

from collections.abc import Iterator
from typing import NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.installation import Installation


class Wait(NamedTuple):
    """One time-out: its name in the configuration, whose it is, what follows when it passes, and where."""

    name: str
    owner: str
    then: str
    where: str


class Retry(NamedTuple):
    """One thing that is tried again: how often, which name governs it (or none), and where."""

    what: str
    how: str
    knob: str
    where: str


TABLE: tuple[Wait, ...] = (
    # --- the client's session
    Wait("ingress.hello_timeout_ms", "ingress", "`hello_timeout`, the connection is closed", "ingress/core.py"),
    Wait("ingress.idle_timeout_ms", "ingress", "`idle_timeout`, the session is closed", "ingress/core.py"),
    Wait(
        "ingress.wait_max_ms",
        "ingress",
        "a longer `wait_ms` is cut to it; a request that is not on a line when its `wait_ms` is over never will be",
        "ingress/core.py",
    ),
    # --- the request
    Wait(
        "partner.send_window_ms",
        "egress",
        "from acceptance on: the request is refused, `not_sent_in_time`, and never sent",
        "egress/core.py",
    ),
    Wait(
        "partner.report_timeout_ms",
        "egress",
        "from the line on: the request is in doubt, its route is held, 8930",
        "egress/core.py",
    ),
    Wait(
        "router.report_grace_ms",
        "router",
        "after both, where egress says nothing (it died): in doubt all the same, 8930",
        "router/core.py",
    ),
    # --- the reply
    Wait("ingress.gone_after_ms", "ingress", "its session stays away: undeliverable, 8910", "ingress/replies.py"),
    Wait("router.confirm_ms", "client", "a confirmation after it counts no more", "router/replies.py"),
    Wait(
        "router.confirm_grace_ms", "router", "after `confirm_ms`, without a confirmation: undeliverable, 8910",
        "router/core.py",
    ),
    Wait("router.remember_ms", "router", "an ended one is forgotten: `unknown`; `attention` is not", "router/core.py"),
    # --- the cancel
    Wait("partner.cancel.send_window_ms", "egress", "the command is withheld: not sent", "egress/core.py"),
    Wait("partner.cancel.report_timeout_ms", "egress", "silence: a re-command, or a person", "egress/core.py"),
    Wait("faults.grace_ms", "faults", "after both, where egress says nothing: silence", "faults/core.py"),
    Wait("partner.cancel.silence_pause_ms", "faults", "after silence: the re-command 8920, 8940", "faults/core.py"),
    Wait("partner.cancel.trouble_pause_ms", "faults", "after C13, C14, C50: the re-command", "faults/core.py"),
    Wait(
        "partner.cancel.unsent_pause_ms",
        "faults",
        "after a command that was not sent: the same command once more",
        "faults/core.py",
    ),
    Wait("faults.remember_ms", "faults", "an ended cancel is forgotten; what a person has is not", "faults/core.py"),
    # --- the line
    Wait("egress.connect_timeout_ms", "egress", "the attempt is given up; see `reconnect_ms`", "egress/connection.py"),
    Wait(
        "egress.reconnect_ms",
        "egress",
        "the partner is called again; each further time it is twice as long, less a random share of up to half",
        "egress/dialling.py",
    ),
    Wait(
        "egress.reconnect_max_ms",
        "egress",
        "the longest of these waits; a connection that lived this long lets them begin with `reconnect_ms` anew",
        "egress/dialling.py",
    ),
    Wait("egress.opening_timeout_ms", "egress", "no answer to 開局: hung up, called again", "egress/station.py"),
    Wait("egress.probe_idle_ms", "egress", "nothing came: the line is probed 疎通確認", "egress/station.py"),
    Wait(
        "egress.probe_timeout_ms", "egress", "no answer to the probe: hung up; what is on the line is in doubt",
        "egress/station.py",
    ),
    Wait("egress.closing_timeout_ms", "egress", "no answer to 閉局: hung up", "egress/station.py"),
    Wait(
        "egress.close_limit_ms", "egress",
        "closing by order or calendar: the station is closed although a report or cancel is missing",
        "egress/station.py",
    ),
    Wait(
        "egress.hand_over_ms", "egress", "a line that cannot be opened is handed to the next node, if there is one",
        "egress/station.py",
    ),
    Wait("egress.breaker.rest_ms", "egress", "a suspended line 縮退 may be used again", "egress/breaker.py"),
    Wait("egress.breaker.rest_max_ms", "egress", "the longest of such rests, which double", "egress/breaker.py"),
    Wait(
        "egress.breaker.probe_ms",
        "egress",
        "at the end of a rest the line, or one of the spared partner, is probed 疎通確認",
        "egress/station.py",
    ),
    Wait("partner.breaker.rest_ms", "egress", "a spared partner 縮退 may be asked again", "egress/breaker.py"),
    Wait("partner.breaker.rest_max_ms", "egress", "the longest of such rests, which double", "egress/breaker.py"),
    Wait(
        "egress.look_back_ms",
        "egress",
        "a telegram in doubt leaves the line's memory: a report to it is a stray, a copy is not known",
        "egress/core.py",
    ),
    # --- clocks
    Wait(
        "clock_tolerance_ms",
        "services",
        "its machine's clock is further off than this: it is not ready; egress gives its lines away",
        "pipeline/clock.py",
    ),
    # --- stopping, dying
    Wait(
        "ingress.drain_ms",
        "ingress",
        "on SIGTERM: sessions are closed; their clients inquire at another node",
        "ingress/shell.py",
    ),
    Wait(
        "egress.drain_ms",
        "egress",
        "on SIGTERM: what still has no report is in doubt, 8930. It may be shorter than a report time-out: a stop "
        "need not wait for the slowest answer",
        "egress/tenure.py",
    ),
    Wait(
        "kafka.session_timeout_ms",
        "broker",
        "a process that says nothing is taken for dead: another one owns its partitions and its lines",
        "pipeline/kafka.py",
    ),
)  # fmt: skip

RETRIES: tuple[Retry, ...] = (
    Retry("a payment", "never: what is in doubt is cancelled", "–", "router/core.py"),
    Retry(
        "a cancel command on the line",
        "up to `partner.cancel.commands_max` times (C13, C14, C50: `troubles_max`), then a person",
        "`partner.cancel.*`",
        "faults/core.py",
    ),
    Retry(
        "a cancel command that was not sent",
        "up to `partner.cancel.unsent_max` times, then a person",
        "`partner.cancel.unsent_*`",
        "faults/core.py",
    ),
    Retry(
        "a record to the broker",
        "by librdkafka, idempotent, for 30 s; then router, faults and egress end, and read their work again when they "
        "are started; ingress tells its client to inquire",
        "fixed",
        "pipeline/kafka.py",
    ),
    Retry(
        "the connection to a broker",
        "without end, 50 to 500 ms apart",
        "`kafka.client`: `reconnect.backoff.ms`, `reconnect.backoff.max.ms`",
        "pipeline/kafka.py",
    ),
    Retry(
        "the connection to a partner",
        "without end, `reconnect_ms` to `reconnect_max_ms` apart, at most `dials_per_minute` times a minute",
        "`egress.reconnect_ms`, `egress.reconnect_max_ms`, `egress.dials_per_minute`",
        "egress/dialling.py",
    ),
    Retry(
        "the session with a gateway",
        "by the client, over all addresses, 20 ms to 2 s apart; then an inquiry, never the request itself",
        "fixed",
        "client/aio.py",
    ),
    Retry(
        "a request, by its client",
        "only when an inquiry told `unknown`, under the same reference, in what is left of its `wait_ms`",
        "`wait_ms`",
        "client/course.py",
    ),
)


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Every wait in the configuration, by its dotted name; `partner` stands for each ``[[partner]]``."""
    yield from _fields(Installation, "")


def _fields(section: type[BaseModel], place: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if inner is not None:
            yield from _fields(inner, f"{place}{name}.")
        elif name.endswith("_ms"):
            yield f"{place}{name}", field


def markdown() -> str:
    """Both tables as they stand in the documentation."""
    known = dict(fields())
    lines = ["| time-out | default | owner | when it passes | where |", "|---|---|---|---|---|"]
    for wait in TABLE:
        field = known[wait.name]
        default = "none: give it" if field.is_required() else _in_words(field.default)
        lines.append(f"| {wait.name} | {default} | {wait.owner} | {wait.then} | `{wait.where}` |")
    lines += ["", "| what is tried again | how often | name | where |", "|---|---|---|---|"]
    lines += [f"| {each.what} | {each.how} | {each.knob} | `{each.where}` |" for each in RETRIES]
    return "\n".join(lines) + "\n"


def _in_words(ms: int) -> str:
    for unit, size in (("d", 86_400_000), ("min", 60_000), ("s", 1_000)):
        if ms % size == 0:
            return f"{ms // size} {unit}"
    return f"{ms} ms"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  the module's command
