"""What each service is and needs, as the help of the commands that start them tells it."""

import textwrap
from typing import NamedTuple

COMMON = """\
必要なもの  every service needs:
  the installation's file: --config FILE, or DENBUN_CONFIG
  Kafka at kafka.bootstrap_servers, and its topics:
    denbun topics create --config FILE
  a name of its node that no other node has (--node; by default the host's)

SIGTERM ends it in order, a second one at once. Logs are JSON lines on stdout
(DENBUN_LOG_LEVEL=DEBUG for more); /metrics, /livez and /readyz are at its
metrics_port. Status 0: ended as asked; 1: it cannot go on, and said why; 2: the
configuration or the command line is wrong. DENBUN_SECTION__NAME overrides a
value of the file.
"""


class About(NamedTuple):
    """A service in words: what it is, what it needs beside what all need, and a command or two."""

    what: str
    needs: str
    examples: tuple[str, ...]


SERVICES = {
    "ingress": About(
        "受付: takes requests of client servers over TCP or TLS, seals card data, and hands the answers back",
        "the key ring (keys.ring), the port ingress.port, its certificate where [ingress.tls] names one, and a slot "
        "that no other ingress has",
        ("denbun run ingress --config denbun.toml --slot 0", "denbun run ingress --config denbun.toml --check"),
    ),
    "router": About(
        "振り分け: chooses partner and line for each request, and knows where every transaction stands",
        "nothing more; several share the partitions",
        ("denbun run router --config denbun.toml --node node0",),
    ),
    "egress": About(
        "回線接続: opens the lines to the partners 開局, puts telegrams on them, and matches the reports",
        "the key ring (keys.ring), a way to each partner (or the ports at which partners call), and the certificates "
        "that [line.tls] names",
        (
            "denbun run egress --config denbun.toml --node node0",
            "denbun run egress --config denbun.toml --line cafis-1",
        ),
    ),
    "faults": About(
        "障害取消: cancels what was left in doubt (8910 to 8940), and hands to a person what it cannot",
        "nothing more; several share the partitions",
        ("denbun run faults --config denbun.toml --node node0",),
    ),
}
_WIDTH = 66  # a wide character counts two


def of(service: str) -> About:
    """What is told of a service."""
    return SERVICES.get(service, About(service, "nothing more", ()))


def overview() -> str:
    """All services, for who has named none."""
    rows = [
        textwrap.fill(text, _WIDTH, initial_indent=f"  {name:10} " if first else " " * 13, subsequent_indent=" " * 13)
        for name, each in SERVICES.items()
        for first, text in ((True, each.what), (False, f"needs {each.needs}"))
    ]
    examples = [f"  {each.examples[0]}" for each in SERVICES.values()]
    return "\n".join(
        [
            "サービス  services:",
            *rows,
            "  simulator  センタシミュレータ: a partner's centre, without Kafka",
            "",
            COMMON,
            "例  examples:",
            *examples,
            "  denbun run simulator --partner cafis --listen 127.0.0.1:7210",
            "  denbun run SERVICE --help                 # all its arguments",
        ]
    )


def epilog(service: str) -> str:
    """What stands below a service's arguments."""
    about = of(service)
    examples = [f"  {each}" for each in about.examples]
    needs = textwrap.fill(f"必要なもの  it needs {about.needs}", _WIDTH)
    return "\n".join([needs, "", COMMON, "例  examples:", *examples])
