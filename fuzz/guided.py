"""One target under atheris: ``python -m fuzz.guided TARGET [what libFuzzer takes]``. Started by ``python -m fuzz``."""

import sys

import atheris

with atheris.instrument_imports(include=["schemas", "ingress", "client", "pipeline", "images", "tomllib"]):
    from fuzz.targets import TARGETS

if __name__ == "__main__":
    name, *arguments = sys.argv[1:]
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()
