"""Dark pictures and clips: the recipe's numbers, and the same bytes every time."""

import math
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from streamlight.errors import SourceError, UsageError
from streamlight.evaluation.synthesis import (
    READ,
    SHOT,
    Clip,
    ClipForm,
    Event,
    cut_clip,
    dark_pairs,
    darken,
    fade_clip,
    flash_clip,
    flicker_clip,
    light_step_clip,
    pan_clip,
    protocol_clips,
    read_pictures,
    static_clip,
)
from streamlight.frame import Image

FORM = ClipForm(size=(96, 64), frames=24, fps=25, ev=-3, seed=5)


@lru_cache
def coffee() -> Image:
    picture: Image = data.coffee()
    return picture[:128, :192]


@lru_cache
def cat() -> Image:
    picture: Image = data.chelsea()
    return picture[60:188, 60:252]


def to_linear(image: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    codes = image / 255
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def light(image: Image) -> float:
    return float(to_linear(image).mean())


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- darken


def test_without_noise_zero_stops_change_nothing() -> None:
    every_code = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)

    np.testing.assert_array_equal(darken(every_code, 0, rng(), shot=0, read=0), every_code)


def test_one_stop_less_halves_the_light() -> None:
    picture = np.full((4, 4, 3), 188, np.uint8)  # linear 0.503

    darker = darken(picture, -1, rng(), shot=0, read=0)

    assert to_linear(darker) == pytest.approx(to_linear(picture) / 2, abs=0.003)


def test_more_light_than_white_is_clipped() -> None:
    assert darken(np.full((2, 2, 3), 200, np.uint8), 3, rng(), 0, 0).min() == 255


@pytest.mark.parametrize(("code", "ev"), [(188, -1), (255, -2), (220, 0)])
def test_noise_has_the_variance_of_shot_and_read(code: int, ev: float) -> None:
    picture = np.full((200, 200, 3), code, np.uint8)
    signal = light(picture) * 2**ev

    linear = to_linear(darken(picture, ev, rng()))

    assert linear.mean() == pytest.approx(signal, rel=0.005)
    assert linear.std() == pytest.approx(math.sqrt(SHOT * signal + READ**2), rel=0.05)


def test_the_seed_decides_the_noise() -> None:
    first = darken(coffee(), -3, rng(1))

    np.testing.assert_array_equal(darken(coffee(), -3, rng(1)), first)
    assert (darken(coffee(), -3, rng(2)) != first).any()


def test_the_recipe_gives_these_values_on_every_machine() -> None:
    picture = np.full((1, 4, 3), 188, np.uint8)

    expected = [[73, 69, 70], [70, 72, 71], [71, 71, 71], [73, 72, 69]]

    assert darken(picture, -3, rng(0))[0].tolist() == expected


# --- folders


def folder_of_pictures(folder: Path) -> Path:
    for name, picture in (("b", coffee()), ("a", cat())):
        cv2.imwrite(str(folder / f"{name}.png"), np.ascontiguousarray(picture[:, :, ::-1]))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_pictures_are_read_in_order_and_as_rgb(tmp_path: Path) -> None:
    pictures = list(read_pictures(folder_of_pictures(tmp_path)))

    assert [name for name, _ in pictures] == ["a", "b"]
    np.testing.assert_array_equal(pictures[0][1], cat())


def test_noise_of_a_pair_depends_on_seed_exposure_and_place(tmp_path: Path) -> None:
    folder = folder_of_pictures(tmp_path)
    pairs = list(dark_pairs(folder, -2))

    again = list(dark_pairs(folder, -2))
    for (_, dark, reference), (_, dark_again, _) in zip(pairs, again, strict=True):
        np.testing.assert_array_equal(dark, dark_again)
        assert light(dark) == pytest.approx(light(reference) / 4, rel=0.02)
    assert (next(dark_pairs(folder, -2, seed=1))[1] != pairs[0][1]).any()


def test_a_folder_without_pictures_and_a_broken_picture_are_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures"):
        list(read_pictures(tmp_path))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(SourceError, match=r"broken\.png: cannot be read"):
        list(read_pictures(tmp_path))


# --- clips


def all_clips() -> list[Clip]:
    return list(protocol_clips(coffee(), cat(), FORM))


def course(clip: Clip) -> list[float]:
    """Light of each dark frame, in units of the first one's reference."""
    return [light(dark) / light(clip.reference(0)) for dark, _ in clip]


@pytest.mark.parametrize("clip", all_clips(), ids=lambda clip: clip.name)
def test_every_clip_has_its_form_and_repeats_itself(clip: Clip) -> None:
    pairs = list(clip)

    assert len(clip) == len(pairs) == 24
    for dark, reference in pairs:
        assert dark.dtype == reference.dtype == np.uint8
        assert dark.shape == reference.shape == (64, 96, 3)
        assert dark.mean() < reference.mean()
    # any frame by itself is the same as in its turn
    for index in (17, 3, 17):
        np.testing.assert_array_equal(clip.dark(index), pairs[index][0])
        np.testing.assert_array_equal(clip.reference(index), pairs[index][1])


def test_the_protocol_holds_every_kind_once() -> None:
    assert [clip.name for clip in all_clips()] == [
        "static",
        "pan",
        "light-step",
        "flash",
        "cut",
        "fade",
        "flicker",
    ]


def test_static_scene_changes_by_its_noise_only() -> None:
    clip = static_clip(coffee(), FORM)

    np.testing.assert_array_equal(clip.reference(0), coffee()[32:96, 48:144])
    np.testing.assert_array_equal(clip.reference(0), clip.reference(23))
    assert (clip.dark(0) != clip.dark(1)).any()
    assert course(clip) == pytest.approx([1 / 8] * 24, rel=0.02)


def test_the_form_sets_exposure_and_seed() -> None:
    form = ClipForm(size=(96, 64), frames=2, ev=-1, seed=9)

    assert course(static_clip(coffee(), form)) == pytest.approx([1 / 2] * 2, rel=0.02)
    other_seed = ClipForm(size=(96, 64), frames=2, ev=-1, seed=8)
    assert (static_clip(coffee(), form).dark(0) != static_clip(coffee(), other_seed).dark(0)).any()


def test_pan_moves_by_one_pixel_a_frame() -> None:
    clip = pan_clip(coffee(), FORM)

    for index in range(23):
        now, then = clip.reference(index), clip.reference(index + 1)
        np.testing.assert_array_equal(now[:, 1:], then[:, :-1])


def test_pan_turns_back_at_the_end_of_the_picture() -> None:
    narrow = coffee()[:64, :120]  # 24 pixels of room
    form = ClipForm(size=(96, 64), frames=60)
    clip = pan_clip(narrow, form)

    np.testing.assert_array_equal(clip.reference(24), narrow[:, 24:120])
    np.testing.assert_array_equal(clip.reference(25), clip.reference(23))
    np.testing.assert_array_equal(clip.reference(48), clip.reference(0))


def test_small_pictures_are_enlarged_to_the_form() -> None:
    for clip in (static_clip(cat()[:20, :30], FORM), pan_clip(cat()[:20, :30], FORM)):
        assert clip.reference(0).shape == (64, 96, 3)
        assert (clip.reference(0) != clip.reference(12)).any() == (clip.name == "pan")


def test_light_step_is_in_the_dark_frames_only() -> None:
    clip = light_step_clip(coffee(), FORM, step_ev=2, at=10)

    assert clip.events == (Event("step", 10, 24),)
    assert course(clip) == pytest.approx([1 / 8] * 10 + [1 / 2] * 14, rel=0.02)
    np.testing.assert_array_equal(clip.reference(0), clip.reference(23))


def test_flash_lights_two_frames() -> None:
    clip = flash_clip(coffee(), FORM, flash_ev=2, at=10)

    assert clip.events == (Event("flash", 10, 12),)
    assert course(clip) == pytest.approx([1 / 8] * 10 + [1 / 2] * 2 + [1 / 8] * 12, rel=0.02)


def test_cut_shows_the_other_scene_from_its_frame_on() -> None:
    clip = cut_clip(coffee(), cat(), FORM)

    (event,) = clip.events
    assert (event.name, event.frame) == ("cut", 12)
    np.testing.assert_array_equal(clip.reference(11), coffee()[32:96, 48:144])
    np.testing.assert_array_equal(clip.reference(12), cat()[32:96, 48:144])


def test_fade_mixes_light() -> None:
    clip = fade_clip(coffee(), cat(), FORM, at=4, length=9)
    first, second = clip.reference(3), clip.reference(13)

    assert clip.events == (Event("fade", 4, 13),)
    np.testing.assert_array_equal(first, clip.reference(0))
    np.testing.assert_array_equal(second, clip.reference(23))
    middle = to_linear(clip.reference(8))
    assert middle == pytest.approx((to_linear(first) + to_linear(second)) / 2, abs=0.006)


def test_flicker_swings_by_a_tenth_five_times_a_second() -> None:
    form = ClipForm(size=(96, 64), frames=25, fps=25, ev=-3)
    swing = 8 * np.array(course(flicker_clip(coffee(), form))) - 1

    spectrum = np.abs(np.fft.rfft(swing)) / (len(swing) / 2)

    assert np.argmax(spectrum[1:]) + 1 == 5  # one second of clip: the bin is the frequency
    assert spectrum[5] == pytest.approx(0.1, rel=0.05)
    assert np.delete(spectrum[1:], 4).max() < 0.01


def test_an_event_outside_the_clip_is_refused() -> None:
    with pytest.raises(UsageError, match="not within the clip's 24"):
        light_step_clip(coffee(), FORM, at=24)
    with pytest.raises(UsageError, match="must be positive"):
        ClipForm(frames=0)


def test_frames_know_their_time() -> None:
    assert static_clip(coffee(), FORM).time_s(10) == pytest.approx(0.4)
