"""`streamlight evaluate`: what it writes and prints, and how it fails."""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import dim, make_clip
from typer.testing import CliRunner

from streamlight.cli import app
from streamlight.evaluation.pairs import Row
from streamlight.frame import Image


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def run(*arguments: str | Path) -> Run:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return Run(result.exit_code, result.stdout, result.stderr)


def bright(seed: int) -> Image:
    coarse = np.random.default_rng(seed).integers(60, 255, (8, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (96, 64), interpolation=cv2.INTER_CUBIC))


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    low, high = tmp_path / "low", tmp_path / "high"
    for folder, divide in ((low, 4), (high, 1)):
        folder.mkdir()
        for number in range(2):
            cv2.imwrite(str(folder / f"{number}.png"), bright(number) // divide)
    return low, high


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def picture(path: Path) -> Image:
    found = cv2.imread(str(path))
    assert found is not None, path
    return np.asarray(found)


def test_pairs(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    methods = ("--models", "gladnet-fast", "--sampling", "nearest,area", "--backend", "openvino")

    done = run(*pairs, "-o", out, *methods, "--baselines", "input,gamma")

    assert done.code == 0, done.err
    rows = read_csv(out / "images.csv")
    assert list(rows[0]) == list(Row.__dataclass_fields__)
    assert len(rows) == 2 * 4
    summary = read_json(out / "summary.json")
    assert summary["schema"] == 1
    assert "openvino" in summary["networks"]["gladnet-fast"]
    assert "own model of pristine" in summary["niqe"]
    lines = [(row["method"], row["sampling"]) for row in summary["rows"]]
    assert lines == [
        ("input", ""),
        ("gamma", ""),
        ("gladnet-fast", "nearest"),
        ("gladnet-fast", "area"),
    ]
    gamma = [float(row["psnr"]) for row in rows if row["method"] == "gamma"]
    assert summary["rows"][1]["psnr"] == pytest.approx(sum(gamma) / 2)
    assert done.out.splitlines()[0].split()[:4] == ["method", "sampling", "images", "psnr"]
    assert len(done.out.splitlines()) == 1 + 4
    assert "| gladnet-fast | area | 2 |" in (out / "summary.md").read_text(encoding="utf-8")
    # input, gamma, two samplings, reference: five pictures of 240 px, in two rows
    assert picture(out / "sheet.jpg").shape == (2 * 180, 5 * 240, 3)
    assert picture(out / "figures.png").size


def test_darkened_pictures(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        done = run(
            *(pairs[1], "--ev", "-2", "--ev", "-3", "--limit", "1", "--seed", seed),
            *("--models", "none", "--baselines", "gamma", "-o", tmp_path / name),
        )
        assert done.code == 0, done.err
    first, again, other = (
        [row["psnr"] for row in read_csv(tmp_path / name / "images.csv")] for name in "abc"
    )
    assert first == again
    assert first != other
    found = read_csv(tmp_path / "a" / "images.csv")
    assert [(row["image"], row["ev"]) for row in found] == [("0", "-2.0"), ("0", "-3.0")]


def test_single_pictures(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(pairs[0], "--models", "none", "--baselines", "input,gamma", "-o", tmp_path / "out")

    assert done.code == 0, done.err
    assert done.out.splitlines()[0].split() == ["method", "images", "luma", "ms"]
    assert {row["psnr"] for row in read_csv(tmp_path / "out" / "images.csv")} == {""}
    assert picture(tmp_path / "out" / "sheet.jpg").shape == (2 * 180, 2 * 240, 3)


def test_the_video_protocol(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = run(
        *("--video", "--pictures", pairs[1], "--size", "96x64", "--frames", "12", "-o", out),
        *("--models", "gladnet-fast", "--backend", "openvino", "--baselines", "input"),
        *("--sampling", "nearest"),  # one look a picture: the default's many take seconds
    )

    assert done.code == 0, done.err
    summary = read_json(out / "summary.json")
    assert summary["form"] == {"size": [96, 64], "frames": 12, "ev": -4, "seed": 0}
    assert summary["pictures"] == ["0", "1"]
    rows = summary["rows"]
    assert [(row["method"], row["smoothing_s"]) for row in rows] == [
        ("input", None),
        ("gladnet-fast", 0),
        ("gladnet-fast", 12),
    ]
    assert set(summary["figures"]) < set(rows[0])
    assert len(read_csv(out / "video.csv")) == 3
    assert [course["clip"] for course in summary["luma"]][:2] == ["static", "pan"]
    assert [len(luma) for luma in summary["luma"][0]["outputs"].values()] == [12, 12, 12]
    plots = sorted(path.stem for path in out.glob("*.png"))
    clips = ["cut", "fade", "flash", "flicker", "light-step", "pan", "static"]
    assert plots == [f"luma_{clip}" for clip in clips]
    assert picture(out / "luma_static.png").size


@pytest.mark.slow
def test_what_denoising_gives_stands_in_the_table(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"

    done = run(
        *("--video", "--pictures", pairs[1], "--size", "96x64", "--frames", "12", "-o", out),
        *("--models", "gladnet-fast", "--backend", "openvino", "--baselines", "none"),
        *("--smoothing", "12", "--denoise", "off,strong"),
    )

    assert done.code == 0, done.err
    off, strong = read_json(out / "summary.json")["rows"]
    assert (off["denoise"], strong["denoise"]) == ("off", "strong")
    assert strong["static_pixel_deviation"] < 0.7 * off["static_pixel_deviation"]
    assert strong["cut_error"] < 1.5 * off["cut_error"]


def test_a_clip_of_ones_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=6, picture=dim)
    out = tmp_path / "out"

    done = run(
        *("--video", clip, "--static", "--limit", "4", "-o", out),
        *("--models", "none", "--baselines", "input,gamma"),
    )

    assert done.code == 0, done.err
    rows = read_json(out / "summary.json")["rows"]
    assert [(row["method"], row["frames"]) for row in rows] == [("input", 4), ("gamma", 4)]
    assert rows[0]["luma_in"] == rows[0]["luma_out"] < rows[1]["luma_out"]
    assert len(read_json(out / "summary.json")["luma"][0]["input"]) == 4
    assert rows[0]["pixel_deviation"] is not None
    assert picture(out / "luma.png").size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a folder of pictures is missing"),
        (("a", "b", "--ev", "-2"), "--ev darkens the pictures of one folder"),
        (("a", "--static"), "are for --video"),
        (("a", "--denoise", "light"), "are for --video"),
        (("--video", "a", "b"), "takes one clip"),
        (("--video", "a", "--ev", "-2"), "for the synthetic clips"),
        (("--video", "--static"), "are for a clip of your own"),
        (("--video", "--limit", "3"), "are for a clip of your own"),
        (("--video", "--ev", "-2", "--ev", "-3"), "one exposure"),
        (("--video", "--size", "96"), "--size 96: expected WIDTHxHEIGHT"),
        (("--video", "--smoothing", "x"), "--smoothing x: expected numbers"),
        (("--video", "--denoise", "x"), "--denoise x: choose one of off, light, strong"),
        (("a", "--baselines", "x"), "--baselines x: choose among"),
        (("a", "--models", "x"), "--model x: choose one of"),
    ],
)
def test_wrong_arguments_are_said_in_a_line(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    failed = run(*arguments, "-o", tmp_path / "out", "--backend", "openvino")
    assert failed.code == 2
    assert message in failed.err
    assert len(failed.err.splitlines()) == 1


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    failed = run(tmp_path / "a", "--models", "none", "-o", tmp_path / "out")
    assert (failed.code, len(failed.err.splitlines())) == (1, 1)
    assert "no such folder" in failed.err


def test_results_are_not_mixed_with_other_files(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    arguments = (*pairs, "--models", "none", "--baselines", "input", "-o", tmp_path / "out")

    failed = run(*arguments)

    assert failed.code == 1
    assert "is not empty; -y writes into it" in failed.err
    assert run(*arguments, "-y").code == 0
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"


def test_a_missing_package_is_said_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    failed = run(tmp_path, "-o", tmp_path / "out")
    assert failed.code == 1
    assert failed.err == (
        'error: evaluation needs matplotlib: pip install "streamlight[evaluate]"\n'
    )
