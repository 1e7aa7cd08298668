"""A broker as others set theirs up: a usual session minimum, ACLs, and listeners that a wrong configuration meets."""

from pathlib import Path

from ops.broker import Broker, Seat
from ops.ports import HOST, free_port

USER, PASSWORD = "denbun", "right"
NOBODY = "kafka-1.denbun.invalid"  # a name that nothing resolves (RFC 2606)


class OddBroker(Broker):
    """Everybody may do everything until an ACL says otherwise. Addresses: `servers` (plain), and those below."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lost, self.shut, self.sasl = (f"{HOST}:{free_port()}" for _ in range(3))
        self._nowhere = free_port()

    def _write_properties(self, port: int, seat: Seat) -> Path:
        path = super()._write_properties(port, seat)
        text = path.read_text("utf-8").replace("group.min.session.timeout.ms=1000\n", "")
        more = {
            "LOST": (self.lost, f"{NOBODY}:9092", "PLAINTEXT"),  # advertised under a name that nobody knows
            "SHUT": (self.shut, f"{HOST}:{self._nowhere}", "PLAINTEXT"),  # advertised where nobody listens
            "SASL": (self.sasl, self.sasl, "SASL_PLAINTEXT"),
        }
        here = "".join(f",{name}://{listens}" for name, (listens, _, _) in more.items())
        told = "".join(f",{name}://{advertised}" for name, (_, advertised, _) in more.items())
        spoken = "".join(f",{name}:{protocol}" for name, (_, _, protocol) in more.items())
        plain = f"PLAINTEXT://{HOST}:{port}"
        text = text.replace(f"\nlisteners={plain}", f"\nlisteners={plain}{here}")
        text = text.replace(f"advertised.listeners={plain}", f"advertised.listeners={plain}{told}")
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        settings = {
            "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{spoken}",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": f'{module} required user_{USER}="{PASSWORD}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "true",
            "super.users": "User:nobody",
        }
        path.write_text(text + "".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        return path
