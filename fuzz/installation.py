"""The configuration: any file, and after a zero byte any lines ``NAME=value`` of the environment.

What must hold: only `ConfigError` comes out, each of its lines names its place; what is sound is still sound, and the
same, when it is written down and read again.
"""

from pipeline.config import ConfigError, check_environment, override, parse, read, variables
from schemas.installation import Installation

SOURCE = "denbun.toml"


def installation(data: bytes) -> None:
    """One file with its environment."""
    file, _, lines = data.partition(b"\0")
    pairs = (line.split("=", 1) for line in lines.decode("utf-8", "surrogateescape").split("\n") if "=" in line)
    environment = {name: value for name, value in pairs if "\0" not in name + value}
    try:
        raw = read(file, SOURCE)
        check_environment(Installation, environment)
        origins = override(raw, environment, variables(Installation))
        sound = parse(Installation, raw, SOURCE, origins=origins)
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith((f"{SOURCE}: ", "environment ")), "a fault without its place"
        return
    assert parse(Installation, sound.model_dump(), SOURCE) == sound, "the same configuration is another one"
