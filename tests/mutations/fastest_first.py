"""A plugin for pytest in a run of mutmut: the tests that were fastest without a mutant come first.

mutmut hands over the tests that reach a mutant in no order, and stops at the first that fails: most mutants die in
milliseconds then, in a test of pure code, and not in one that starts a service.
"""

import json
from pathlib import Path

import pytest

STATS = Path("mutmut-stats.json")  # mutmut's own, in the folder that the tests run in; not there while it measures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by the time they took."""
    if STATS.exists():
        took = json.loads(STATS.read_text("utf-8"))["duration_by_test"]
        items.sort(key=lambda item: took.get(item.nodeid, 0.0))
