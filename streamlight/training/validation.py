"""Figures of a network in training, by the conventions of `streamlight evaluate`."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamlight.errors import SourceError
from streamlight.evaluation.pairs import (
    Method,
    Picture,
    Row,
    darkened_pictures,
    evaluate,
    folder_pictures,
    summarise,
)
from streamlight.evaluation.report import ContactSheet, write_csv
from streamlight.evaluation.tables import Table
from streamlight.frame import Image
from streamlight.models.gladnet import GLADNet
from streamlight.view import DEFAULT_SAMPLING, PHASES, sample_nearest

EXPOSURES_EV = (0.0, -2.0, -3.0, -4.0)


@dataclass(frozen=True, slots=True)
class ValidationSets:
    """What is measured on; never trained on.

    Attributes:
        pairs: folders of dark pictures and of their references.
        bright: folder of pictures that are darkened.
        limit: take the first so many of each.
    """

    pairs: tuple[Path, Path] | None = None
    bright: Path | None = None
    limit: int | None = None

    def check(self) -> None:
        """Read all pictures once, so that what is wrong with them is known before the training.

        Raises:
            SourceError: a folder is missing, empty or incomplete, a picture cannot be read, or
                the two of a pair differ in size.
        """
        for picture in self.pictures(EXPOSURES_EV[:1]):
            if picture.reference is not None and picture.dark.shape != picture.reference.shape:
                sizes = " and ".join(
                    f"{image.shape[1]}x{image.shape[0]}"
                    for image in (picture.dark, picture.reference)
                )
                raise SourceError(f"{picture.name}: the pair has {sizes} pixels; one size expected")

    def pictures(self, exposures_ev: tuple[float, ...] = EXPOSURES_EV) -> Iterator[Picture]:
        """Read all pictures, the pairs first, the bright ones darkened by each exposure.

        Raises:
            SourceError: a folder is missing, empty or incomplete.
        """
        if self.pairs is not None:
            yield from islice(folder_pictures(*self.pairs), self.limit)
        if self.bright is not None:
            yield from darkened_pictures(self.bright, exposures_ev, limit=self.limit)


def validate(
    network: GLADNet,
    sets: ValidationSets,
    name: str,
    sheet: Path,
    stop: threading.Event | None = None,
) -> Table:
    """Measure a network, and write a contact sheet (PNG) of what it makes.

    Returns:
        A row for the pairs and for each exposure: PSNR, SSIM, GT-mean PSNR, brightness. None of
        them, and no sheet, where `stop` was set before all pictures were measured.

    Raises:
        SourceError: a folder is missing, empty or incomplete.
        SinkError: the sheet cannot be written.
    """
    contact = ContactSheet(max_rows=12)
    with _evaluating(network):
        method = Method(name, lambda image, time_s: enhance(network, image), DEFAULT_SAMPLING)
        rows: list[Row] = []
        for row in evaluate(sets.pictures(), [method], contact.add):
            if stop is not None and stop.is_set():
                return []
            rows.append(row)
    contact.write(sheet)
    kept = ("ev", "images", "psnr", "ssim", "gt_mean_psnr", "niqe", "luma")
    return [{column: row[column] for column in kept} for row in summarise(rows)]


def write_results(path: Path, rows: Table) -> None:
    """Write the rows of `validate` as CSV; SinkError where that fails."""
    write_csv(path, rows)


def figures(rows: Table) -> dict[str, float]:
    """Name the figures of `validate` for a log: "psnr -3 EV"."""
    named = {}
    for row in rows:
        place = "pairs" if row["ev"] is None else f"{row['ev']:+g} EV"
        for name in ("psnr", "ssim"):
            if isinstance(value := row[name], float):
                named[f"{name} {place}"] = value
    return named


def enhance(network: GLADNet, image: Image) -> Image:
    """Enhance a picture uint8 (H, W, 3) as `Enhancer` does a single one, in FP32."""
    device = next(network.parameters()).device
    height, width = image.shape[:2]
    r = network.spec.unshuffle
    padded = np.pad(image, ((0, -height % r), (0, -width % r), (0, 0)), mode="edge")
    with torch.inference_mode():
        views = np.concatenate([sample_nearest(image, phase) for phase in PHASES])
        prior = network.estimate(torch.from_numpy(views).to(device)).mean(dim=0, keepdim=True)
        x = torch.from_numpy(padded).to(device).permute(2, 0, 1)[None].float() / 255
        is_compact = network.spec.is_compact(*padded.shape[:2])
        detail: Any = network.detail.forward_compact if is_compact else network.detail
        result = (detail(x, prior)[0] * 255).round().byte().permute(1, 2, 0)
    return np.ascontiguousarray(result[:height, :width].cpu().numpy())


@contextmanager
def _evaluating(network: GLADNet) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
