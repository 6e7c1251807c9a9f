"""Tables of figures, as text; needs no other package."""

from collections.abc import Mapping, Sequence

Value = str | float | None
Table = Sequence[Mapping[str, Value]]

_DIGITS = {
    "psnr": 2,
    "gt_mean_psnr": 2,
    "pan_psnr": 2,
    "ssim": 3,
    "niqe": 2,
    "luma": 1,
    "ms": 1,
    "ev": 1,
    "images": 0,
    "frames": 0,
    "flicker_in": 4,
    "flicker_out": 4,
    "smoothing_s": 1,
}
_OTHER_DIGITS = 3


def as_text(rows: Table) -> tuple[list[str], list[list[str]]]:
    """Round for people, leaving out the columns that hold nothing: header and cells."""
    header = [name for name in rows[0] if any(row[name] not in (None, "") for row in rows)]
    return header, [[_cell(name, row[name]) for name in header] for row in rows]


def _cell(name: str, value: Value) -> str:
    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else f"{value:.{_DIGITS.get(name, _OTHER_DIGITS)}f}"


def markdown_table(rows: Table) -> str:
    """Write rows as a table of Markdown."""
    header, cells = as_text(rows)
    lines = [header, ["---"] * len(header), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
