"""Frames that are not where they were, found by what they show although every count agrees."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Picture, dim, make_clip
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range
from streamlight.verify import Difference, Expectation, verify_file
from streamlight.verify.frames import match_views

TAGS = ColorSpec(Matrix.BT709, Range.LIMITED, 1, 1)
COUNT = 24
ORDER = list(range(COUNT))
Scene = Callable[[int, int, int], Picture]


def wanders(index: int, width: int, height: int) -> Picture:
    """A dark picture with noise of its own, and a blob that moves."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(index).normal(0, 2, (height, width))
    far = (x - width * (0.5 + 0.4 * np.sin(index / 3))) ** 2 + (y - height / 2) ** 2
    luma = 15 + 10 * np.sin(x / 9) + 40 * np.exp(-far / 90) + noise
    return np.repeat(luma.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def stands(index: int, width: int, height: int) -> Picture:
    """The same picture all the time."""
    return wanders(0, width, height)


def bright(picture: Picture) -> Picture:
    return np.asarray(255 * (picture / 255) ** 0.5, np.uint8)


def differences(
    folder: Path, order: Sequence[int], scene: Scene = wanders, crf: str = "20"
) -> tuple[Difference, ...]:
    """Write a clip, and an output that shows its frames in another order; compare them."""

    def enhanced(index: int, width: int, height: int) -> Picture:
        number = order[index]
        return (
            np.zeros((height, width, 3), np.uint8)
            if number < 0
            else bright(scene(number, width, height))
        )

    size = (192, 144)
    clip = make_clip(folder / "in.mp4", color=TAGS, frames=COUNT, size=size, picture=scene)
    output = make_clip(
        folder / "out.mp4",
        frames=len(order),
        size=size,
        picture=enhanced,
        color=TAGS,
        options={"crf": crf, "preset": "ultrafast"},
    )
    return verify_file(clip, output, deep=True).differences


def test_each_frame_in_its_place_is_no_difference(tmp_path: Path) -> None:
    assert differences(tmp_path, ORDER) == ()


def test_nor_is_a_coarse_encoding(tmp_path: Path) -> None:
    assert differences(tmp_path, ORDER, crf="34") == ()


def test_nor_are_frames_of_a_scene_that_stands_still(tmp_path: Path) -> None:
    assert differences(tmp_path, ORDER, scene=stands) == ()


@pytest.mark.parametrize("place", [1, 9, 20])
def test_two_frames_in_each_others_place_are_found(tmp_path: Path, place: int) -> None:
    order = [*ORDER[:place], place + 1, place, *ORDER[place + 2 :]]
    (found,) = differences(tmp_path, order)
    assert str(place) in found.part
    assert found.found == "a frame beside it"


@pytest.mark.parametrize("place", [2, 9, 20])
def test_a_frame_that_is_shown_twice_is_found(tmp_path: Path, place: int) -> None:
    order = [*ORDER[:place], place - 1, *ORDER[place + 1 :]]
    found = differences(tmp_path, order)
    assert (
        Difference(
            f"pictures, frame {place}", "the frame of the input", "the frame before it again"
        )
        in found
    )


def test_a_frame_that_is_dropped_and_made_up_for_later_is_found(tmp_path: Path) -> None:
    order = [*ORDER[:8], *ORDER[9:15], 14, *ORDER[15:]]
    found = differences(tmp_path, order)
    assert len(order) == COUNT
    assert any(d.found == "a frame beside it" and "6 frames: 8, 9, 10" in d.part for d in found)


def test_noise_in_what_moves_smoothly_is_no_difference() -> None:
    views = [dim(i, 96, 96)[..., 1].astype(np.float32) for i in range(COUNT)]
    noisy = list(views)
    toward_the_next = 0.5 * (views[11] - views[10]) + 0.35 * (views[11] - 2 * views[10] + views[9])
    noisy[10] = np.asarray(views[10] + toward_the_next, np.float32)
    assert match_views(views, noisy, COUNT).differences == ()


Views = list[NDArray[np.float32]]


def noisy_stand(shown: Sequence[int]) -> tuple[Views, Views]:
    """Views of a scene that stands still but for noise, some of which an output keeps.

    Args:
        shown: whose noise each frame of the output has; one of another frame is kept best.
    """
    rng = np.random.default_rng(0)
    still = 120 + 30 * np.sin(np.arange(96) / 9)
    noise = rng.normal(0, 3, (len(shown), 96, 96))
    coding = rng.normal(0, 3, (len(shown), 96, 96))
    before = [np.asarray(still + own, np.float32) for own in noise]
    kept = [1.5 if number == place else 3.0 for place, number in enumerate(shown)]
    after = [
        np.asarray(still + much * noise[number] + 3 * own, np.float32)
        for much, number, own in zip(kept, shown, coding, strict=True)
    ]
    return before, after


def test_one_frame_of_which_noise_is_most_of_what_changes_is_no_difference() -> None:
    before, after = noisy_stand([*range(40), 39, *range(41, 80)])
    assert match_views(before, after, 80).differences == ()


def test_several_of_them_are() -> None:
    before, after = noisy_stand([*range(40), *range(39, 45), *range(46, 80)])
    (found,) = match_views(before, after, 80).differences
    assert found.found == "a frame beside it"
    assert "frames: 40, 41, 42" in found.part


def test_two_swapped_frames_of_what_moves_smoothly_are_found() -> None:
    views = [dim(i, 96, 96)[..., 1].astype(np.float32) for i in range(COUNT)]
    swapped = [*views[:10], views[11], views[10], *views[12:]]
    (found,) = match_views(views, swapped, COUNT).differences
    assert (found.part, found.found) == ("pictures, 2 frames: 10, 11", "a frame beside it")


def test_black_pictures_are_found(tmp_path: Path) -> None:
    order = [*ORDER[:8], -1, -1, *ORDER[10:]]
    found = differences(tmp_path, order)
    assert Difference("pictures, 2 frames: 8, 9", "the same scene", "something else") in found


def test_pictures_that_cannot_be_decoded_are_found(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mp4", color=TAGS, codec="mpeg4", frames=12, picture=wanders)
    output = tmp_path / "out.mp4"
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        packet = [p for p in container.demux(video=0) if p.size][5]
    assert packet.pos is not None
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    output.write_bytes(data)
    assert verify_file(clip, output).differences == (), "a count of packets does not show it"
    assert (
        Difference("decoded frames", "12", "11") in verify_file(clip, output, deep=True).differences
    )


def test_a_picture_side_by_side_is_looked_for_in_its_half(tmp_path: Path) -> None:
    def both(index: int, width: int, height: int) -> Picture:
        dark = wanders(index, width // 2, height)
        return np.concatenate([dark, bright(dark)], axis=1)

    clip = make_clip(tmp_path / "in.mp4", color=TAGS, size=(96, 64), picture=wanders)
    output = make_clip(tmp_path / "out.mp4", color=TAGS, size=(192, 64), picture=both)
    for region in ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)):
        expected = Expectation(size=(192, 64), region=region)
        assert verify_file(clip, output, deep=True, expected=expected).differences == ()
    whole = Expectation(size=(192, 64))
    assert verify_file(clip, output, deep=True, expected=whole).differences != ()


def test_how_many_frames_can_be_told_apart_is_counted() -> None:
    views: list[NDArray[np.float32]] = [
        wanders(min(i, 5), 96, 96)[..., 0].astype(np.float32) for i in range(12)
    ]
    match = match_views(views, views, 12)
    assert (match.frames, match.told_apart, match.differences) == (12, 5, ())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips_are_compared_too(count: int) -> None:
    views: list[NDArray[np.float32]] = [
        wanders(i, 96, 96)[..., 0].astype(np.float32) for i in range(count)
    ]
    assert match_views(views, views, count).differences == ()
