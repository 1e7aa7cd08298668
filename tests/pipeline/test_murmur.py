"""The partition of a key: the vectors of Kafka's own tests, and what follows from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.murmur import murmur2, partition_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2, as signed 32-bit numbers
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), VECTORS.items(), ids=[key.decode()[:12] for key in VECTORS])
def test_kafkas_own_vectors(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed % 2**32


@pytest.mark.parametrize(("data", "signed"), VECTORS.items(), ids=[key.decode()[:12] for key in VECTORS])
def test_the_sign_is_taken_off_before_the_remainder(data: bytes, signed: int) -> None:
    assert partition_of(data, 7) == (signed & 0x7FFFFFFF) % 7


@given(st.binary(max_size=64), st.integers(1, 512))
def test_a_partition_is_always_one_of_the_topics(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(bytes(bytearray(key)), partitions)
