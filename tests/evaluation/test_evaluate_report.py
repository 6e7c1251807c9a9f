"""Tables and sheets: what is not there, what is not finite, and what goes where."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamlight.errors import SinkError
from streamlight.evaluation.pairs import Method, Picture, Row
from streamlight.evaluation.report import (
    ContactSheet,
    plot_figures,
    write_csv,
    write_json,
)
from streamlight.evaluation.tables import Value, as_text, markdown_table
from streamlight.frame import Image

ROWS: list[dict[str, Value]] = [
    {"method": "a", "sampling": "", "ev": None, "psnr": 12.3456, "ssim": None},
    {"method": "b", "sampling": "area", "ev": None, "psnr": math.inf, "ssim": 0.5},
]


def level(value: int) -> Image:
    return np.full((20, 30, 3), value, np.uint8)


def same(image: Image, time_s: float | None) -> Image:
    return image


def test_a_table_leaves_out_columns_that_hold_nothing() -> None:
    header, cells = as_text(ROWS)
    assert header == ["method", "sampling", "psnr", "ssim"]
    assert cells == [["a", "-", "12.35", "-"], ["b", "area", "inf", "0.500"]]


def test_markdown() -> None:
    assert markdown_table(ROWS[:1]) == "| method | psnr |\n| --- | --- |\n| a | 12.35 |\n"


def test_json_knows_no_infinity(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"rows": ROWS, "nested": {"tuple": (math.nan, 1.5)}})

    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))

    assert found["rows"][1]["psnr"] is None
    assert found["nested"] == {"tuple": [None, 1.5]}
    assert found["schema"] == 1


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"gone.rows\.csv: cannot be written"):
        write_csv(tmp_path / "gone" / "rows.csv", ROWS)


def test_the_reference_is_the_last_column_of_the_sheet(tmp_path: Path) -> None:
    sheet = ContactSheet(max_rows=1, width=60)
    for name in ("first", "left out"):
        picture = Picture(name, level(10), level(200))
        sheet.add(picture, Method("input", same), level(10))
        sheet.add(picture, Method("b", same), level(90))
        sheet.add(picture, Method("c", same), level(150))

    sheet.write(tmp_path / "sheet.jpg")

    found = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert found is not None
    assert found.shape == (60, 240, 3)
    columns = found[30:50].reshape(20, 4, 60, 3).mean(axis=(0, 2, 3))
    assert columns == pytest.approx([10, 90, 150, 200], abs=3)


def test_pictures_without_references_are_plotted_by_brightness(tmp_path: Path) -> None:
    plot_figures(tmp_path / "a.png", [Row("a", "", None, "x", None, None, None, None, 30, 1)])
    assert cv2.imread(str(tmp_path / "a.png")) is not None
