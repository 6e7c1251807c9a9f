"""Pictures in, figures out: every method on every picture, with or without a reference."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path

import cv2
import numpy as np

from streamlight.backends import choose
from streamlight.enhance import Enhancer
from streamlight.errors import SourceError, UsageError
from streamlight.evaluation import metrics
from streamlight.evaluation.baselines import BASELINES
from streamlight.evaluation.niqe import NIQE_PATCH, niqe
from streamlight.evaluation.synthesis import dark_pairs
from streamlight.frame import Image
from streamlight.sources.denoise import check_denoise
from streamlight.view import Sampling

CHEAP_BASELINES = ("input", "gamma", "auto-gamma", "clahe")
"""Fast enough for video."""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to enhance, and what it is called in the tables.

    Attributes:
        name: of the model or the baseline.
        run: takes a picture and when it is shown in seconds (None: it is no video).
        sampling: how the network's view is taken; empty for a baseline.
        smoothing_s: of the network over time; None for a baseline.
        denoise: what is done to a video before; see `streamlight.sources.denoise`.
        forget: called before each video.
        backend: what runs the network; empty for a baseline.
    """

    name: str
    run: Callable[[Image, float | None], Image]
    sampling: str = ""
    smoothing_s: float | None = None
    denoise: str = "off"
    forget: Callable[[], None] = field(default=lambda: None)
    backend: str = ""

    @property
    def label(self) -> str:
        """Name for plots and sheets: "gladnet-fast area 2 s, denoise light"."""
        smoothing = "" if self.smoothing_s is None else f"{self.smoothing_s:g} s"
        label = " ".join(part for part in (self.name, self.sampling, smoothing) if part)
        return label if self.denoise == "off" else f"{label}, denoise {self.denoise}"


@contextmanager
def open_methods(
    models: Sequence[str],
    samplings: Sequence[Sampling],
    baselines: Sequence[str] = (),
    smoothings_s: Sequence[float | None] = (None,),
    denoise: Sequence[str] = ("off",),
    *,
    backend: str = "auto",
    device: str | None = None,
    precision: str | None = None,
) -> Iterator[list[Method]]:
    """Open the baselines, and each model with each sampling, smoothing and `denoise`.

    A model whose name another one or a baseline has is called what it was given as.

    Raises:
        BackendUnavailableError: the backend cannot run here.
        UsageError: a name is unknown.
    """
    for name in baselines:
        if name not in BASELINES:
            raise UsageError(f"--baselines {name}: choose among {', '.join(BASELINES)}")
    for level in denoise:
        check_denoise(level)
    methods = [
        Method(name, lambda image, time_s, run=BASELINES[name]: run(image))  # type: ignore[misc]
        for name in baselines
    ]
    with ExitStack() as stack:
        choices = []
        for model in models:
            choices.append(choose(model, backend, device, precision))
            stack.enter_context(closing(choices[-1].backend))
        names = Counter([*baselines, *(choice.model.name for choice in choices)])
        for model, choice in zip(models, choices, strict=True):
            name = choice.model.name if names[choice.model.name] == 1 else model
            for sampling, smoothing_s in product(samplings, smoothings_s):
                enhancer = Enhancer(
                    choice.backend,
                    choice.model,
                    smoothing_s=smoothing_s or 0.0,
                    sampling=sampling,
                    reason=choice.reason,
                )
                methods += [
                    Method(
                        name,
                        enhancer,
                        sampling,
                        smoothing_s,
                        level,
                        enhancer.reset,
                        str(choice.backend.info),
                    )
                    for level in denoise
                ]
        if not methods:
            raise UsageError("nothing to evaluate: name a model or a baseline")
        yield methods


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to enhance.

    Attributes:
        name: of its file, without suffix.
        dark: uint8 RGB (H, W, 3).
        reference: the same well exposed; None when there is none.
        ev: how far it was darkened; None for a picture that was taken so.
    """

    name: str
    dark: Image
    reference: Image | None = None
    ev: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Figures of one method on one picture; None where there is no such figure.

    Attributes:
        method: name of the model or the baseline.
        sampling: of the network; empty for a baseline.
        ev: how far the picture was darkened; None for a picture that was taken so.
        image: name of the picture.
        psnr: in dB.
        ssim: up to 1.
        gt_mean_psnr: in dB, after the brightness was set to the reference's.
        niqe: less is better; None for pictures of less than 192 pixels a side.
        luma: mean luma of the result in levels.
        ms: time of the call, after one call to warm up for each size of picture.
    """

    method: str
    sampling: str
    ev: float | None
    image: str
    psnr: float | None
    ssim: float | None
    gt_mean_psnr: float | None
    niqe: float | None
    luma: float
    ms: float


FIGURES = ("psnr", "ssim", "gt_mean_psnr", "niqe", "luma", "ms")


def folder_pictures(low: Path, high: Path | None = None) -> Iterator[Picture]:
    """Read the pictures of a folder, each with its namesake in the folder of references.

    Raises:
        SourceError: a folder is missing or empty, a picture cannot be read, or one has no
            namesake; the message names all of these.
    """
    dark_paths = _picture_paths(low)
    bright_paths = _picture_paths(high) if high is not None else {}
    if high is not None:
        _check_names(low, dark_paths, high, bright_paths)
    for name, path in dark_paths.items():
        yield Picture(name, _read(path), _read(bright_paths[name]) if high is not None else None)


def darkened_pictures(
    folder: Path, exposures_ev: Sequence[float], seed: int = 0, limit: int | None = None
) -> Iterator[Picture]:
    """Darken the first `limit` pictures of a folder, each by all of the exposures."""
    _picture_paths(folder)  # says what is wrong with the folder itself
    exposures = [islice(dark_pairs(folder, ev, seed), limit) for ev in exposures_ev]
    for versions in zip(*exposures, strict=True):
        for ev, (name, dark, bright) in zip(exposures_ev, versions, strict=True):
            yield Picture(name, dark, bright, ev)


def evaluate(
    pictures: Iterable[Picture],
    methods: Sequence[Method],
    on_result: Callable[[Picture, Method, Image], None] = lambda picture, method, result: None,
) -> Iterator[Row]:
    """Run every method on every picture.

    Args:
        pictures: any sizes.
        methods: see `open_methods`.
        on_result: sees every result, for a contact sheet.

    Raises:
        UsageError: a picture and its reference differ in size.
    """
    warm: set[tuple[int, tuple[int, ...]]] = set()
    for picture in pictures:
        for number, method in enumerate(methods):
            if method.backend and (number, picture.dark.shape) not in warm:
                method.run(picture.dark, None)
                warm.add((number, picture.dark.shape))
            start = time.perf_counter()
            result = method.run(picture.dark, None)
            ms = 1000 * (time.perf_counter() - start)
            on_result(picture, method, result)
            yield _measure(picture, method, result, ms)


def summarise(rows: Sequence[Row]) -> list[dict[str, str | float | None]]:
    """Average the figures over the pictures: one row for each method, sampling and exposure."""
    groups: dict[tuple[str, str, float | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.sampling, row.ev), []).append(row)
    summary: list[dict[str, str | float | None]] = []
    for (method, sampling, ev), found in groups.items():
        line: dict[str, str | float | None] = {"method": method, "sampling": sampling, "ev": ev}
        line["images"] = len(found)
        for figure in FIGURES:
            line[figure] = mean_of([getattr(row, figure) for row in found])
        summary.append(line)
    return sorted(summary, key=lambda row: -float(row["ev"] or 0))  # stable: methods keep order


def mean_of(values: Sequence[float | None]) -> float | None:
    """Average the values that are there; None when there are none."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def _measure(picture: Picture, method: Method, result: Image, ms: float) -> Row:
    is_large = min(result.shape[:2]) >= 2 * NIQE_PATCH
    naturalness = niqe(result) if is_large else math.inf
    psnr, ssim, gt_mean_psnr = _compare(picture, result)
    return Row(
        method=method.name,
        sampling=method.sampling,
        ev=picture.ev,
        image=picture.name,
        psnr=psnr,
        ssim=ssim,
        gt_mean_psnr=gt_mean_psnr,
        niqe=naturalness if math.isfinite(naturalness) else None,
        luma=metrics.luma(result),
        ms=ms,
    )


def _compare(picture: Picture, result: Image) -> tuple[float | None, float | None, float | None]:
    reference = picture.reference
    if reference is None:
        return None, None, None
    try:
        return (
            metrics.psnr(result, reference),
            metrics.ssim(result, reference),
            metrics.gt_mean_psnr(result, reference),
        )
    except (UsageError, ValueError) as error:  # scikit-image refuses pictures below its window
        raise UsageError(f"{picture.name}: {error}") from error


def _picture_paths(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; a folder of pictures was expected")
    paths = [p for p in sorted(folder.iterdir()) if p.is_file() and cv2.haveImageReader(str(p))]
    if not paths:
        raise SourceError(f"{folder}: no pictures in this folder")
    by_name = {path.stem: path for path in paths}
    if len(by_name) < len(paths):
        twins = sorted(path.name for path in paths if path not in by_name.values())
        raise SourceError(f"{folder}: {', '.join(twins)}: another picture has the same name")
    return by_name


def _check_names(
    low: Path, dark: Mapping[str, Path], high: Path, bright: Mapping[str, Path]
) -> None:
    lines = [
        f"{', '.join(sorted(found - other))} of {folder}"
        for folder, found, other in (
            (low, dark.keys(), bright.keys()),
            (high, bright.keys(), dark.keys()),
        )
        if found - other
    ]
    if lines:
        raise SourceError(
            f"no partner of the same name for {' and '.join(lines)};"
            " without the second folder, pictures are judged by themselves"
        )


def _read(path: Path) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"{path}: cannot be read as a picture")
    return np.ascontiguousarray(picture[:, :, ::-1])
