"""The smoother on synthetic light: what it holds, what it follows, what makes it forget."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamlight.smoothing import PriorSmoother
from streamlight.view import sample_light

FPS = 25.0
CHANNELS = 4

View = NDArray[np.float32]


def scene(seed: int) -> View:
    """A smooth random picture (1, 3, 96, 96) with light between 0.02 and 0.2."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.02, 0.2, (3, 8, 8))
    return np.kron(coarse, np.ones((12, 12)))[None].astype(np.float32)


def noisy(view: View, rng: np.random.Generator, sigma: float = 0.02) -> View:
    noise = rng.normal(0, sigma, view.shape)
    return np.clip(view + noise, 0, 1).astype(np.float32)


def light_of(view: View) -> NDArray[np.float32]:
    return sample_light(np.ascontiguousarray(view[0].transpose(1, 2, 0)))


def prior_of(view: View) -> View:
    """Stands for the network: features that follow the view and its noise."""
    return np.repeat(view.mean(axis=1, keepdims=True), CHANNELS, axis=1)


def run(views: list[View], time_constant_s: float = 2.0, fps: float = FPS) -> list[View]:
    smoother = PriorSmoother(time_constant_s)
    return [smoother(light_of(view), prior_of(view), i / fps) for i, view in enumerate(views)]


def test_noise_of_a_static_scene_is_averaged_away() -> None:
    rng = np.random.default_rng(0)
    views = [noisy(scene(1), rng) for _ in range(100)]

    smoothed = np.stack(run(views)[50:])
    plain = np.stack([prior_of(view) for view in views[50:]])

    assert smoothed.std(axis=0).mean() < 0.25 * plain.std(axis=0).mean()


@pytest.mark.parametrize("fps", [15.0, 60.0])
def test_the_time_constant_is_in_seconds_whatever_the_frame_rate(fps: float) -> None:
    """A small step, too small to be followed at once, is 63 % done after one time constant."""
    before, after = scene(1), scene(1) * np.float32(1.002)
    time_constant_s = 1.0
    count = int(fps)
    views = [before] + [after] * (count + 1)

    out = run(views, time_constant_s, fps)

    done = (out[count] - prior_of(before)).mean() / (prior_of(after) - prior_of(before)).mean()
    assert done == pytest.approx(1 - np.exp(-1), abs=0.05)


@pytest.mark.parametrize("stops", [-2.0, -0.5, 0.5, 2.0])
def test_a_lasting_change_of_light_is_followed_within_half_a_second(stops: float) -> None:
    before, after = scene(1), np.clip(scene(1) * np.float32(2**stops), 0, 1)

    out = run([before] * 10 + [after] * 13)

    progress = (out[-1] - prior_of(before)).mean() / (prior_of(after) - prior_of(before)).mean()
    assert progress > 0.9


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_leaves_no_trace_in_the_frames_after_it(length: int) -> None:
    dark, flash = scene(1), np.clip(scene(1) * 4, 0, 1)

    out = run([dark] * 10 + [flash] * length + [dark] * 5)

    assert np.abs(out[10 + length] - prior_of(dark)).max() < 0.02 * prior_of(dark).mean()


def test_flicker_of_the_light_is_followed_so_that_the_network_can_take_it_away() -> None:
    views = [scene(1) * np.float32(1 + 0.1 * np.sin(2 * np.pi * 5 * i / FPS)) for i in range(50)]

    out = run(views)

    lag = [
        np.abs(o - prior_of(v)).mean() / prior_of(v).mean() for o, v in zip(out, views, strict=True)
    ]
    assert max(lag[10:]) < 0.025  # of a swing of 0.1


def test_a_hard_cut_takes_the_new_scene_as_it_is() -> None:
    rng = np.random.default_rng(0)
    first, second = noisy(scene(1), rng), noisy(scene(2), rng)

    out = run([first] * 10 + [second])

    np.testing.assert_array_equal(out[-1], prior_of(second))


def test_a_cut_is_told_from_light_fades_and_slow_pans() -> None:
    smoother = PriorSmoother()
    smoother(light_of(scene(1)), prior_of(scene(1)), 0.0)

    def is_cut(view: View) -> bool:
        change = smoother.compare(light_of(view))
        assert change is not None
        return change.is_cut

    assert is_cut(scene(2))
    assert not is_cut(scene(1))
    assert not is_cut(scene(1) * np.float32(0.3))
    assert not is_cut(np.clip(scene(1) * 4, 0, 1))
    assert not is_cut(np.roll(scene(1), 1, axis=3))


@pytest.mark.parametrize("pixels_a_frame", [1, 4, 8])
def test_a_pan_is_followed_and_is_no_cut_unless_very_fast(pixels_a_frame: int) -> None:
    """Of a picture 640 pixels wide; at 8 pixels a frame it has gone by in 3 s."""
    rng = np.random.default_rng(3)
    coarse = rng.uniform(0.02, 0.2, (8, 20, 3)).astype(np.float32)
    wide = cv2.resize(coarse, (1600, 360), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    smoother = PriorSmoother()
    lags, distances, first = [], [], None
    for i in range(60):
        window = wide[:, i * pixels_a_frame :][:, :640]
        light = sample_light(np.ascontiguousarray(window))
        change = smoother.compare(light)
        assert change is None or not change.is_cut or pixels_a_frame == 8
        prior = light.repeat(4, axis=0).repeat(4, axis=1)[None, None]
        first = prior if first is None else first
        lags.append(np.abs(smoother(light, prior, i / FPS) - prior).mean())
        distances.append(np.abs(first - prior).mean())
    assert max(lags) < 0.25 * prior.mean()  # a place may lag by 14 % before it is followed fast
    assert lags[-1] < 0.5 * distances[-1]


def test_a_fade_to_another_scene_is_followed_all_the_way() -> None:
    shares = np.linspace(0, 1, 25, dtype=np.float32)
    views = [scene(1) * (1 - share) + scene(2) * share for share in shares]

    out = run([scene(1)] * 5 + views + [scene(2)] * 5)

    lag = [np.abs(o - prior_of(v)).mean() for o, v in zip(out[5:30], views, strict=True)]
    whole = np.abs(prior_of(scene(1)) - prior_of(scene(2))).mean()
    assert max(lag) < 0.25 * whole
    assert np.abs(out[-1] - prior_of(scene(2))).mean() < 0.15 * whole


def test_a_lamp_switched_on_is_followed_at_once_where_it_shines() -> None:
    lamp = scene(1).copy()
    lamp[..., 20:60, 20:60] *= 4

    out = run([scene(1)] * 10 + [lamp] * 2)

    lit = np.s_[..., 24:56, 24:56]
    gap = np.abs(out[-1] - prior_of(lamp))[lit].mean()
    assert gap < 0.05 * np.abs(prior_of(lamp) - prior_of(scene(1)))[lit].mean()


def test_what_changes_in_one_place_is_followed_there_and_held_elsewhere() -> None:
    rng = np.random.default_rng(0)
    before = scene(1)
    after = before.copy()
    after[..., 40:56, 40:56] = 0.8

    smoother = PriorSmoother()
    for i in range(20):
        view = noisy(before, rng, 0.005)
        smoother(light_of(view), prior_of(view), i / FPS)
    view = noisy(after, rng, 0.005)
    held = smoother.held
    assert held is not None
    out = smoother(light_of(view), prior_of(view), 20 / FPS)

    inside, corner = np.s_[..., 46:50, 46:50], np.s_[..., :20, :20]
    assert np.abs(out - prior_of(view))[inside].max() < 0.05
    assert np.abs(out - held)[corner].mean() < 0.3 * np.abs(prior_of(view) - held)[corner].mean()


def test_zero_seconds_pass_every_prior_on() -> None:
    rng = np.random.default_rng(0)
    views = [noisy(scene(1), rng) for _ in range(5)]

    for view, out in zip(views, run(views, 0), strict=True):
        np.testing.assert_array_equal(out, prior_of(view))


@pytest.mark.parametrize("how", ["reset", "time runs backwards"])
def test_another_video_starts_afresh(how: str) -> None:
    smoother = PriorSmoother()
    smoother(light_of(scene(1)), prior_of(scene(1)), 5.0)
    if how == "reset":
        smoother.reset()
    similar = scene(1) * np.float32(1.003)

    out = smoother(light_of(similar), prior_of(similar), 5.04 if how == "reset" else 1.0)

    np.testing.assert_array_equal(out, prior_of(similar))


def test_priors_given_out_are_not_changed_by_later_frames() -> None:
    rng = np.random.default_rng(0)
    smoother = PriorSmoother()
    kept = []
    for i in range(5):
        view = noisy(scene(1), rng)
        out = smoother(light_of(view), prior_of(view), i / FPS)
        kept.append((out, out.copy()))

    for out, copy in kept:
        np.testing.assert_array_equal(out, copy)


def test_black_frames_give_finite_priors() -> None:
    black = np.zeros((1, 3, 96, 96), np.float32)

    for out in run([black, black, scene(1), black]):
        assert np.isfinite(out).all()


def test_a_negative_time_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        PriorSmoother(-1)
