"""The committed corpus: `fuzz/corpus/<target>/<hash of the content>`, small, and without anybody's card.

An input earns its place by a pair of lines that no earlier one runs one after the other.
"""

import contextlib
import hashlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from fuzz.seeds import seeds, tokens
from fuzz.streams import CAFIS, CARDNET
from fuzz.targets import TARGETS
from pipeline.logs import blacken
from schemas.telegrams import DecodeError, FramingError

ROOT = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "corpus"
FILES_MAX = 40
BYTES_MAX = 4_096
_TEST_CARDS = ("4111111111111111",)
_OURS = tuple(str(ROOT / name) for name in ("schemas", "ingress", "client", "pipeline", "images"))

Arc = tuple[CodeType, int, int]


def name_of(data: bytes) -> str:
    """The name of an input's file."""
    return hashlib.sha256(data).hexdigest()[:16]


def read(folder: Path) -> list[bytes]:
    """The inputs in a folder, shortest first."""
    found = [path.read_bytes() for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(found, key=lambda data: (len(data), data))


def of(target: str) -> list[bytes]:
    """The committed corpus of a target."""
    return read(CORPUS / target)


def holds_a_card(data: bytes) -> bool:
    """Whether somewhere in it stands what could be a card number and is not one of the test numbers."""
    texts = [data.decode("latin-1"), data.decode("cp037"), *_card_numbers(data)]
    for number in _TEST_CARDS:
        texts = [text.replace(number, "") for text in texts]
    return any(blacken(text) != text for text in texts)


def _card_numbers(data: bytes) -> Iterator[str]:
    """Those of telegrams that pack two digits into a byte."""
    for partner in (CAFIS, CARDNET):
        try:
            telegrams = partner.framing.deframer().feed(data[1:])
        except FramingError as fault:
            telegrams = fault.telegrams
        for telegram in telegrams:
            with contextlib.suppress(DecodeError):
                yield str(partner.decode(telegram).values.get("pan", ""))


def keep(target: str, found: Iterable[bytes]) -> int:
    """Make the corpus of a target anew: its seeds, and of what was found whatever adds to them. Gives its size."""
    first = seeds()[target]
    candidates = [data for data in found if len(data) <= BYTES_MAX and not holds_a_card(data)]
    kept = list(dict.fromkeys(first))
    seen = set[Arc]().union(*(arcs(TARGETS[target], data) for data in kept))
    reached = {data: arcs(TARGETS[target], data) - seen for data in candidates}
    while len(kept) < FILES_MAX and reached:
        best = max(reached, key=lambda data: (len(reached[data]), -len(data)))
        gained = reached.pop(best)
        if not gained:
            break
        kept.append(best)
        reached = {data: more - gained for data, more in reached.items()}
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    names = {name_of(data): data for data in kept}
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    for name, data in names.items():
        (folder / name).write_bytes(data)
    return len(names)


def arcs(target: Callable[[bytes], None], data: bytes) -> set[Arc]:
    """The pairs of lines of the product that run one after the other."""
    reached: set[Arc] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_OURS):
            return None
        last = frame.f_lineno

        def line(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal last
            if event == "line":
                reached.add((code, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line if event == "call" else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return reached


def mutations(corpus: Sequence[bytes], chance: random.Random, count: int) -> Iterable[bytes]:
    """So many inputs, each a few steps away from one of the corpus."""
    words = tokens()
    for _ in range(count):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 2, 4))):
            _mutate(data, chance, corpus, words)
        yield bytes(data[:BYTES_MAX])


def _mutate(data: bytearray, chance: random.Random, corpus: Sequence[bytes], words: Sequence[bytes]) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.choice((1, 1, 2, 8, 64)))
    match chance.randrange(7):
        case 0 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        case 1 if at < len(data):
            data[at] = chance.randrange(256)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = data[at:end]
        case 4:
            data[at:end] = chance.choice(words)
        case 5:
            other = chance.choice(corpus)
            data[at:] = other[chance.randint(0, len(other)) :]
        case _:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 4)))
