"""What is left of an evaluation: CSV, Markdown, JSON, a contact sheet and plots."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamlight.errors import SinkError
from streamlight.evaluation.pairs import Method, Picture, Row
from streamlight.evaluation.tables import Table, markdown_table
from streamlight.evaluation.video import Course
from streamlight.frame import Image

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes away; new keys do not raise it."""


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror or error})") from error


def write_csv(path: Path, rows: Table) -> None:
    """Write rows of the same columns; what is not there stays empty."""
    with _writing(path), path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_json(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts of a run; numbers that are not finite become null."""
    text = json.dumps({"schema": SCHEMA, **_finite(dict(facts))}, indent=2, allow_nan=False)
    with _writing(path):
        path.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
    return value


def write_markdown(path: Path, title: str, notes: Iterable[str], rows: Table) -> None:
    """Write a title, a list of notes and a table."""
    lines = "".join(f"- {note}\n" for note in notes)
    with _writing(path):
        path.write_text(f"# {title}\n\n{lines}\n{markdown_table(rows)}", encoding="utf-8")


class ContactSheet:
    """Small pictures in rows, one for each picture that was evaluated: input, results, reference.

    Only what is shown is kept in memory.
    """

    def __init__(self, max_rows: int = 8, width: int = 240) -> None:
        """Start empty.

        Args:
            max_rows: further pictures are left out.
            width: of each small picture in pixels.
        """
        self._max_rows = max_rows
        self._width = width
        self._rows: dict[str, dict[str, Image]] = {}

    def add(self, picture: Picture, method: Method, result: Image) -> None:
        """Take a result; give them in the order of the columns."""
        ev = "" if picture.ev is None else f" {picture.ev:+g} EV"
        name = picture.name + ev
        if name not in self._rows:
            if len(self._rows) >= self._max_rows:
                return
            self._rows[name] = {name: self._small(picture.dark)}
            if picture.reference is not None:
                self._rows[name]["reference"] = self._small(picture.reference)
        if method.name != "input":
            row = self._rows[name]
            reference = row.pop("reference", None)
            row[method.label] = self._small(result)
            if reference is not None:
                row["reference"] = reference

    def write(self, path: Path) -> None:
        """Write the sheet, as JPEG or by the suffix of the path.

        Raises:
            SinkError: it cannot be written.
        """
        strips = [
            np.hstack([_labelled(image, label) for label, image in row.items()])
            for row in self._rows.values()
        ]
        encoded, data = cv2.imencode(path.suffix or ".jpg", np.vstack(strips)[:, :, ::-1])
        if not encoded:
            raise SinkError(f"{path}: the contact sheet cannot be encoded; evaluate fewer pictures")
        with _writing(path):
            path.write_bytes(data.tobytes())

    def _small(self, image: Image) -> Image:
        """Fit into a box of 3:2, on grey."""
        box_height, box_width = self._width * 2 // 3, self._width
        scale = min(box_height / image.shape[0], box_width / image.shape[1])
        size = max(1, int(image.shape[1] * scale)), max(1, int(image.shape[0] * scale))
        small = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
        box = np.full((box_height, box_width, 3), 40, np.uint8)
        box[: small.shape[0], : small.shape[1]] = small
        return box


def _labelled(image: Image, label: str) -> Image:
    band = np.full((20, image.shape[1], 3), 255, np.uint8)
    cv2.putText(band, label, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([band, image])


_PANELS = {
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "gt_mean_psnr": "GT-mean PSNR (dB)",
    "niqe": "NIQE (less is better)",
}


def plot_figures(path: Path, rows: Sequence[Row]) -> None:
    """Draw a box for each method and exposure in a panel for each figure that is there."""
    from matplotlib.figure import Figure

    groups: dict[str, list[Row]] = {}
    for row in rows:
        ev = "" if row.ev is None else f"{row.ev:+g} EV"
        label = " ".join(part for part in (row.method, row.sampling, ev) if part)
        groups.setdefault(label, []).append(row)
    panels = [name for name in _PANELS if any(math.isfinite(v) for v in _values(rows, name))] or [
        "luma"
    ]
    figure = Figure(figsize=(3.2 * len(panels) + 1.5, 0.28 * len(groups) + 1.2), dpi=100)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, name in zip(axes, panels, strict=True):
        values = [
            [v for v in _values(group, name) if math.isfinite(v)] for group in groups.values()
        ]
        panel.boxplot(
            values,
            orientation="horizontal",
            widths=0.6,
            tick_labels=list(groups),
            manage_ticks=panel is axes[0],  # the others share its ticks
        )
        panel.set_xlabel(_PANELS.get(name, "mean luma (levels)"))
        panel.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()  # the first method on top
    _save(figure, path)


def _values(rows: Iterable[Row], name: str) -> list[float]:
    found = (getattr(row, name) for row in rows)
    return [value for value in found if value is not None]


def plot_luma(path: Path, course: Course) -> None:
    """Draw the brightness over time: the input, the reference, each method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), dpi=80)
    axes = figure.subplots()
    axes.plot(course.times_s, course.input, "k--", linewidth=1, label="input")
    if course.reference:
        axes.plot(course.times_s, course.reference, "k:", linewidth=1.5, label="reference")
    for label, luma in course.outputs.items():
        if label != "input":
            axes.plot(course.times_s, luma, linewidth=1, label=label)
    axes.set(title=course.clip, xlabel="time (s)", ylabel="mean luma (levels)")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", frameon=False)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    with _writing(path):
        figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
