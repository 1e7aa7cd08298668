"""The partition of a key as Kafka's Java client chooses it: murmur2, positive, modulo the count.

librdkafka does the same when told ``murmur2_random``; this is for who must know the partition beforehand.
"""

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Austin Appleby's MurmurHash2 with Kafka's seed, as an unsigned 32-bit number."""
    length = len(data)
    h = (_SEED ^ length) & _MASK
    for at in range(0, length - length % 4, 4):
        k = int.from_bytes(data[at : at + 4], "little")
        k = (k * _M) & _MASK
        k ^= k >> 24
        k = (k * _M) & _MASK
        h = ((h * _M) & _MASK) ^ k
    rest = data[length - length % 4 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * _M) & _MASK
    h ^= h >> 13
    h = (h * _M) & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that every client of the gateway writes `key` to."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
