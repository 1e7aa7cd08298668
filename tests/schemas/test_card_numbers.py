"""Where a card number may stand in a text, whatever parts its digits."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.card_numbers import holds_card_number, spans

ISSUED = st.sampled_from(
    [
        "4111111111111111", "4222222222222", "4000000000000000006", "5555555555554444", "2223003122003222",
        "378282246310005", "36227206271667", "3056930009020004", "3530111333300000", "6011111111111117",
        "6200000000000005", "8171999927660000",
    ]
)  # fmt: skip
BETWEEN = st.one_of(st.sampled_from(["", " ", "\t", " - ", "- ", " /"]), st.text("._-/", max_size=5))
AROUND = st.text("abcXYZ:,;|", max_size=5)


@given(ISSUED, st.dictionaries(st.integers(1, 18), BETWEEN, max_size=6), AROUND, AROUND)
def test_a_number_is_found_however_it_is_grouped(number: str, cuts: dict[int, str], before: str, after: str) -> None:
    grouped = number
    for at, between in sorted(cuts.items(), reverse=True):
        grouped = f"{number[:at]}{between}{grouped[at:]}" if at < len(number) else grouped
    text = f"{before}{grouped}{after}"
    assert holds_card_number(text)
    found = [text[start:end] for start, end in spans(text)]
    assert len(found) == 1
    assert "".join(filter(str.isdigit, found[0])) == number


@given(st.integers(2000, 2199), st.integers(1, 12), st.integers(1, 31), st.integers(0, 10**10 - 1))
def test_a_date_and_a_count_are_no_card_number(year: int, month: int, day: int, count: int) -> None:
    assert not holds_card_number(f"A-{year}{month:02}{day:02}-{count:010}")
    assert not holds_card_number(f"{year}-{month:02}-{day:02}-{count % 10**6:06}")
