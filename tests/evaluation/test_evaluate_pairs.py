"""Rows of figures for pictures: what they hold, and which pictures belong together."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from streamlight.errors import SourceError, UsageError
from streamlight.evaluation import metrics
from streamlight.evaluation.baselines import BASELINES
from streamlight.evaluation.niqe import niqe
from streamlight.evaluation.pairs import (
    FIGURES,
    Method,
    Picture,
    Row,
    darkened_pictures,
    evaluate,
    folder_pictures,
    open_methods,
    summarise,
)
from streamlight.frame import Image

SIZE = (64, 96)


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image:
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))


def save(folder: Path, *names: str, size: tuple[int, int] = SIZE, divide: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        written = cv2.imwrite(str(folder / name), picture(number, size)[:, :, ::-1] // divide)
        assert written
    return folder


def baselines(*names: str) -> list[Method]:
    with open_methods([], [], names) as methods:
        return methods


def figures(row: Row) -> tuple[float | None, ...]:
    return tuple(getattr(row, name) for name in FIGURES if name != "ms")


def test_the_figures_are_those_of_the_metrics() -> None:
    dark, bright = picture(1, (200, 208)) // 4, picture(1, (200, 208))
    result = BASELINES["gamma"](dark)

    [row] = evaluate([Picture("a", dark, bright, -4)], baselines("gamma"))

    assert (row.method, row.sampling, row.ev, row.image) == ("gamma", "", -4, "a")
    assert figures(row) == (
        metrics.psnr(result, bright),
        metrics.ssim(result, bright),
        metrics.gt_mean_psnr(result, bright),
        niqe(result),
        metrics.luma(result),
    )
    assert row.ms > 0


def test_without_a_reference_there_is_niqe_and_brightness() -> None:
    dark = picture(1, (200, 208))

    [row] = evaluate([Picture("a", dark)], baselines("input"))

    assert figures(row) == (None, None, None, niqe(dark), metrics.luma(dark))


def test_small_pictures_have_no_niqe() -> None:
    [row] = evaluate([Picture("a", picture(1))], baselines("input"))
    assert row.niqe is None


def test_models_and_samplings_stand_side_by_side() -> None:
    bright = picture(1, (192, 288))  # beyond 96 a side, where the samplings differ
    with open_methods(
        ["gladnet-fast"], ["nearest", "area"], ["input"], backend="openvino"
    ) as methods:
        rows = list(evaluate([Picture("a", bright // 8, bright)], methods))

    assert [(row.method, row.sampling) for row in rows] == [
        ("input", ""),
        ("gladnet-fast", "nearest"),
        ("gladnet-fast", "area"),
    ]
    assert rows[1].psnr != rows[2].psnr
    assert rows[1].luma > 2 * rows[0].luma


def test_weights_of_one_name_are_called_what_they_were_given_as(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the weights are drawn with it")
    from streamlight.models import MODELS
    from streamlight.models.weights import save_weights
    from streamlight.training.start import he_initialised

    paths = [str(tmp_path / folder / "m.safetensors") for folder in ("a", "b")]
    for seed, path in enumerate(paths):
        Path(path).parent.mkdir()
        save_weights(he_initialised(MODELS["gladnet-fast"], seed), Path(path))
    with open_methods([*paths, "gladnet-fast"], ["nearest"], backend="torch") as methods:
        rows = list(evaluate([Picture("a", picture(1) // 8, picture(1))], methods))

    assert [row["method"] for row in summarise(rows)] == [*paths, "gladnet-fast"]


def test_a_network_is_warmed_up_once_for_each_size() -> None:
    calls: list[tuple[int, ...]] = []

    def run(image: Image, time_s: float | None) -> Image:
        calls.append(image.shape[:2])
        assert time_s is None
        return image

    sizes = [(64, 96), (64, 96), (32, 48)]
    list(evaluate([Picture("a", picture(1, s)) for s in sizes], [Method("n", run, backend="b")]))

    assert calls == [(64, 96)] * 3 + [(32, 48)] * 2


def test_pairs_are_of_the_same_name(tmp_path: Path) -> None:
    low = save(tmp_path / "low", "b.png", "a.png", divide=4)
    high = save(tmp_path / "high", "b.bmp", "a.png")
    (low / "notes.txt").write_text("no picture")

    found = list(folder_pictures(low, high))

    assert [item.name for item in found] == ["a", "b"]
    for item, number in zip(found, (1, 0), strict=True):
        np.testing.assert_array_equal(item.dark, picture(number) // 4)
        np.testing.assert_array_equal(item.reference, picture(number))


def test_pictures_without_a_partner_are_named(tmp_path: Path) -> None:
    low = save(tmp_path / "low", "a.png", "b.png", "c.png")
    high = save(tmp_path / "high", "b.png", "d.png")

    with pytest.raises(SourceError, match=r"for a, c of .*low and d of .*high"):
        list(folder_pictures(low, high))


def test_pictures_of_the_same_name_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.bmp: another picture has the same name"):
        list(folder_pictures(save(tmp_path / "low", "a.bmp", "a.png")))


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures"):
        list(folder_pictures(tmp_path))
    with pytest.raises(SourceError, match="no such folder"):
        list(darkened_pictures(tmp_path / "none", [-3]))


def test_a_pair_of_different_size_is_named() -> None:
    with pytest.raises(UsageError, match=r"^a: .*96x64.*48x32"):
        list(evaluate([Picture("a", picture(1), picture(1, (32, 48)))], baselines("input")))


def test_darkening_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    folder = save(tmp_path / "bright", "a.png", "b.png", "c.png")

    once, again, other = (
        list(darkened_pictures(folder, [-2, -3], seed, limit=2)) for seed in (1, 1, 2)
    )

    assert [(p.name, p.ev) for p in once] == [("a", -2), ("a", -3), ("b", -2), ("b", -3)]
    for one, two, three in zip(once, again, other, strict=True):
        np.testing.assert_array_equal(one.dark, two.dark)
        assert not np.array_equal(one.dark, three.dark)
    np.testing.assert_array_equal(once[0].reference, picture(0))


def test_the_summary_averages_by_method_and_exposure() -> None:
    rows = [
        Row("gamma", "", ev, name, psnr, None, None, None, 10, 1)
        for ev, name, psnr in [(-3, "a", 10), (-3, "b", 14), (-2, "a", 20)]
    ]

    summary = summarise(rows)

    assert [(row["ev"], row["images"], row["psnr"], row["ssim"]) for row in summary] == [
        (-2, 1, 20, None),
        (-3, 2, 12, None),
    ]


def test_an_unknown_baseline_is_named() -> None:
    with pytest.raises(UsageError, match="--baselines x: choose among input, gamma"):
        baselines("x")


def test_no_method_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to evaluate"):
        baselines()
