# denbun: two commands for a newcomer, `make demo` and `make test`; each installs what it needs.

# The first that runs and is recent enough: a name on the PATH may be a stand-in for a version that is not there.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)
BIN := .venv/bin

.PHONY: demo test check fuzz mutants up clean

demo: .venv/product  ## every course of a payment on real processes, and the money report
	$(BIN)/denbun demo

test: .venv/development  ## all tests, on the embedded Kafka
	$(BIN)/python -m pytest

check: .venv/development  ## format, lint, types, structure
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.wire
	$(BIN)/python -m schemas.telegrams check

fuzz: .venv/development  ## any bytes at every door, guided by the code they reach; longer: python -m fuzz --seconds N
	$(BIN)/python -m fuzz --seconds 2

mutants: .venv/development  ## change one place after another of what carries the money: a test must notice; goes on where it stopped
	$(BIN)/python tests/mutations/mutants.py

up: .venv/product  ## the whole gateway on this machine, until Ctrl-C
	$(BIN)/denbun up

clean:  ## remove what was installed and what ran
	rm -rf .venv .denbun build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "denbun needs Python 3.11 or later: name one with make PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/product: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[stack,documents]'
	touch $@

.venv/development: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/product
