"""Damaged copies of a video file: each number is one variant, the same on every machine."""

import random
from collections.abc import Callable

MOST_FLIPPED_BITS = 40


def damaged(data: bytes, number: int) -> bytes:
    """Damage a file in the way of that number; neighbouring numbers are of different kinds."""
    chance = random.Random(number)  # noqa: S311
    damage = DAMAGES[number % len(DAMAGES)]
    while (spoiled := damage(data, chance)) == data:
        pass  # zeros were zeroed
    return spoiled


def _flip_bits(data: bytes, chance: random.Random) -> bytes:
    return _flip(data, chance, 0, len(data))


def _flip_bits_of_the_head(data: bytes, chance: random.Random) -> bytes:
    """MP4 states its tables in the box `moov`, which lies behind the pictures."""
    start = max(0, data.find(b"moov"))
    return _flip(data, chance, start, min(len(data), start + 900))


def _flip_bits_of_the_tail(data: bytes, chance: random.Random) -> bytes:
    return _flip(data, chance, len(data) - len(data) // 8, len(data))


def _flip(data: bytes, chance: random.Random, start: int, end: int) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, MOST_FLIPPED_BITS)):
        spoiled[chance.randrange(start, end)] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def _cut_off(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _cut_the_beginning(data: bytes, chance: random.Random) -> bytes:
    return data[chance.randrange(1, len(data) // 2) :]


def _zero(data: bytes, chance: random.Random) -> bytes:
    start, end = _block(data, chance)
    return data[:start] + bytes(end - start) + data[end:]


def _remove(data: bytes, chance: random.Random) -> bytes:
    start, end = _block(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start, end = _block(data, chance)
    return data[:end] + data[start:]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    start, end = _block(data, chance)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def _exchange(data: bytes, chance: random.Random) -> bytes:
    """Two neighbouring blocks in each other's place."""
    start, end = _block(data, chance)
    middle = chance.randint(start, end)
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def _block(data: bytes, chance: random.Random) -> tuple[int, int]:
    length = min(len(data), chance.choice([4, 64, 188, 512, len(data) // 4]))
    start = chance.randrange(len(data) - length + 1)
    return start, start + length


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_bits,
    _flip_bits_of_the_head,
    _flip_bits_of_the_tail,
    _cut_off,
    _cut_the_beginning,
    _zero,
    _remove,
    _repeat,
    _overwrite,
    _exchange,
    _flip_bits_of_the_head,
)
