"""docs/adding-a-partner.md as one who follows it has it: a folder, the page's commands, ports and topics of his own."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from whole_gateway import wait_until

from client import SyncClient
from ops.player import shown
from ops.ports import HOST, free_port
from ops.processes import Process, is_ready
from pipeline.config import load
from schemas.installation import Installation
from schemas.telegrams import REPORT_OF, STATION_REQUESTS, PartnerSpec, Role, load_partner
from schemas.topics import Topics
from simulator.control import Control, ControlError

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "adding-a-partner.md").read_text("utf-8")
BROKER, PREFIX = "127.0.0.1:9092", 'topic_prefix = "toynet-"'
CUSTOMER, TOKEN = "AP33", "development-token-ap33"
PORT = re.compile(r"\b75\d\d\b")
ABOUT_THE_LINE = {*STATION_REQUESTS, *(REPORT_OF[role] for role in STATION_REQUESTS)}


def blocks(language: str) -> list[str]:
    """The fenced blocks of the page in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]
CUTTING = COMMANDS[: [line.split()[0] for line in COMMANDS].index("awk") + 1]
(PASSED,) = (block.splitlines() for block in blocks("text"))


class Desk:
    """A folder in which the commands of the page are typed, with ports, topics and a broker of the test's own."""

    def __init__(self, folder: Path, servers: str = BROKER) -> None:
        self.folder = folder
        self.servers = servers
        self.prefix = f"{folder.name}-"
        self.ports: dict[str, int] = defaultdict(free_port)
        self.answers: dict[str, subprocess.CompletedProcess[str]] = {}
        self.running: dict[str, Process] = {}

    def type(self, line: str) -> None:
        """Have a line of the page done: in the background where it says so, else to its end."""
        command = self.fitted(line)
        if command.endswith(" &"):
            self._start(line, command.removesuffix(" &"))
            return
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, capture_output=True, encoding="utf-8", check=False, timeout=90,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "200"},
        )  # fmt: skip
        self.answers[line] = done
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if line.startswith("awk "):
            file = self.folder / "denbun.toml"
            file.write_text(self.fitted(file.read_text("utf-8")), "utf-8")

    def fitted(self, text: str) -> str:
        """With the test's own ports, topics and broker in place of the page's."""
        text = text.replace(BROKER, self.servers).replace(PREFIX, f'topic_prefix = "{self.prefix}"')
        text = text.replace("docs/", f"{ROOT}/docs/")
        text = re.sub(r"^python\b", sys.executable, re.sub(r"^denbun\b", f"{sys.executable} -m ops", text))
        return PORT.sub(lambda found: str(self.ports[found[0]]), text)

    def _start(self, line: str, command: str) -> None:
        service = shlex.split(line)[2]
        ready = self._centre_ready if service == "simulator" else self._service_ready(service)
        process = Process(service, shlex.split(command), self.folder / "logs" / f"{service}.log", ready)
        with contextlib.chdir(self.folder):
            process.start()
        self.running[service] = process

    def _centre_ready(self) -> bool:
        try:
            with self.control() as asked:
                return bool(asked.ping())
        except ControlError:
            return False

    def _service_ready(self, service: str) -> Callable[[], bool]:
        return lambda: is_ready((HOST, self.metrics_port(service)))

    # --- what was configured

    @property
    def installation(self) -> Installation:
        return load(Installation, self.folder / "denbun.toml", {})

    @property
    def partner(self) -> PartnerSpec:
        return load_partner(self.folder / "toynet")

    def metrics_port(self, service: str) -> int:
        port: int = getattr(self.installation, service).metrics_port
        return port

    def metrics(self, service: str) -> str:
        with urllib.request.urlopen(f"http://{HOST}:{self.metrics_port(service)}/metrics", timeout=5) as page:
            return str(page.read().decode())

    def control(self) -> Control:
        return Control(HOST, self.ports["7550"])

    def telegrams(self) -> list[str]:
        """What has passed about payments, as the page writes it."""
        with self.control() as control:
            rows = control.story()
        told = [(row["way"], Role(row["role"])) for row in rows]
        return shown([(way, role) for way, role in told if role not in ABOUT_THE_LINE], self.partner)

    def topics(self) -> dict[str, str]:
        """The topics' full names, and those without the prefix."""
        lines = [line.name for line in self.installation.line]
        names = [each.name for each in Topics(self.prefix).creations(lines, 1, 1)]
        return {name: name.removeprefix(self.prefix) for name in names}

    def client(self) -> SyncClient:
        """A session of the page's customer."""
        return SyncClient((HOST, self.installation.ingress.port), customer=CUSTOMER, token=TOKEN)

    def wait_open(self) -> None:
        """Until every process does its work, and the router sees both lines open."""
        for process in self.running.values():
            process.wait_ready()
        wait_until(lambda: 'denbun_router_open_lines{partner="toynet"} 2.0' in self.metrics("router"))

    def wait_passed(self) -> None:
        """Until as many telegrams have passed as the page tells of."""
        wait_until(lambda: len(self.telegrams()) >= len(PASSED))

    def stop(self) -> None:
        """End what still runs."""
        for process in reversed(self.running.values()):
            process.stop()
