"""Packets beside the picture: of a part that was cut out, or cut elsewhere by a container."""

from collections.abc import Iterator

import numpy as np
import pytest

from streamlight.sources.inventory import StreamContent
from streamlight.verify.streams import Window, compare_stream

PACKET = 400
"""Bytes; 40 packets of 20 ms."""

NOISE = np.random.default_rng(0).bytes(40 * PACKET)
SILENCE = bytes(40 * PACKET)
PART = Window(0.2, 0.6)


def sound(
    samples: bytes, start_s: float = 0.0, *, packet: int = PACKET, codec: str = "pcm_s16le"
) -> StreamContent:
    stream = StreamContent(1, "audio", codec, "", "", frozenset())
    for first in range(0, len(samples), packet):
        stream.take(samples[first : first + packet], start_s + 0.02 * first / PACKET)
    return stream


def found(before: StreamContent, after: StreamContent, window: Window | None) -> Iterator[str]:
    differences = compare_stream(before, after, shifts_s=[-0.2 if window else 0.0], window=window)
    return (difference.part for difference in differences)


@pytest.mark.parametrize("samples", [NOISE, SILENCE], ids=["noise", "silence"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "mp2"])
def test_a_part_of_the_sound_is_found_in_its_place(samples: bytes, codec: str) -> None:
    part = sound(samples[10 * PACKET : 30 * PACKET], codec=codec)
    assert list(found(sound(samples, codec=codec), part, PART)) == []


@pytest.mark.parametrize("packet", [150, 1024])
def test_pcm_may_be_cut_into_other_packets(packet: int) -> None:
    part = sound(NOISE[10 * PACKET : 30 * PACKET], packet=packet)
    assert list(found(sound(NOISE), part, PART)) == []
    assert list(found(sound(NOISE), sound(NOISE, packet=packet), None)) == []


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (sound(SILENCE[10 * PACKET : 30 * PACKET]), "audio stream 1 (pcm_s16le)"),
        (sound(NOISE[10 * PACKET + 4 : 30 * PACKET + 4]), "audio stream 1 (pcm_s16le)"),
        (sound(NOISE[14 * PACKET : 34 * PACKET]), "audio stream 1 (pcm_s16le)"),
        (sound(NOISE[10 * PACKET : 26 * PACKET]), "audio stream 1 (pcm_s16le)"),
        (sound(NOISE[10 * PACKET : 30 * PACKET], 0.5), "times of audio stream 1 (pcm_s16le)"),
    ],
    ids=["silence", "not at a sample", "another part", "too short", "late"],
)
def test_what_is_wrong_with_the_pcm_of_a_part_is_found(part: StreamContent, expected: str) -> None:
    assert list(found(sound(NOISE), part, PART)) == [expected]


@pytest.mark.parametrize("window", [None, Window(-np.inf, 0.6)], ids=["all", "a part"])
@pytest.mark.parametrize("codec", ["pcm_s16le", "mp2"])
@pytest.mark.parametrize(("missing", "is_good"), [(0, True), (3, True), (9, True), (12, False)])
def test_packets_that_an_edit_list_hides_may_be_left_out(
    window: Window | None, codec: str, missing: int, is_good: bool
) -> None:
    before = sound(NOISE, -0.2, codec=codec)
    before.hidden = 9
    after = sound(NOISE[missing * PACKET :], 0.02 * missing, codec=codec)
    differences = compare_stream(before, after, shifts_s=[0.2], window=window)
    assert (list(differences) == []) == is_good
