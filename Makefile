# denbun: two commands for a newcomer, `make demo` and `make test`; each installs what it needs.

# The first that runs and is recent enough: a name on the PATH may be a stand-in for a version that is not there.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)
BIN := .venv/bin

.PHONY: demo test check fuzz mutants up lock newest clean

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

# From the lock alone: a version that came out since, or that somebody has put in its place, is not installed.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED = $(INSTALL) --require-hashes --only-binary :all: -r requirements/build.txt
OURS = $(INSTALL) --no-deps --no-build-isolation --editable .

.venv/product: pyproject.toml requirements/build.txt requirements/product.txt | .venv/bin/python
	$(LOCKED) -r requirements/product.txt
	$(OURS)
	touch $@

.venv/development: pyproject.toml requirements/build.txt requirements/development.txt | .venv/bin/python
	$(LOCKED) -r requirements/development.txt
	$(OURS)
	touch $@ .venv/product

# The larger sets are locked first: each smaller one takes their versions.
LOCK = cd requirements && UV_CUSTOM_COMPILE_COMMAND='make lock' ../.denbun/uv/bin/uv pip compile --quiet --upgrade \
  --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-annotate

lock: .denbun/uv/bin/uv  ## lock the newest versions that pyproject.toml allows, with their hashes
	$(LOCK) build.in --output-file build.txt
	$(LOCK) ../pyproject.toml --extra dev --output-file development.txt
	$(LOCK) ../pyproject.toml --extra stack --extra documents --constraints development.txt --output-file product.txt
	$(LOCK) ../pyproject.toml --constraints product.txt --output-file services.txt
	for each in 3.11 3.12 3.13 3.14; do .denbun/uv/bin/uv pip install --dry-run --quiet --python-version $$each \
	  --target .denbun/uv/none --require-hashes --only-binary :all: -r requirements/development.txt || exit 1; done

newest: | .venv/bin/python  ## all tests with the newest versions that pyproject.toml allows, whatever is locked
	rm -rf .denbun/newest && $(BIN)/python -m venv .denbun/newest
	.denbun/newest/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	.denbun/newest/bin/python -m pytest --ignore tests/structure/test_locked_versions.py

.denbun/uv/bin/uv: | .venv/bin/python
	$(BIN)/python -m venv .denbun/uv
	.denbun/uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
