"""What `streamlight evaluate` does, once its arguments are checked: measure, write, print."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from streamlight.cli.messages import say
from streamlight.cli.table import print_table
from streamlight.cli.versions import versions
from streamlight.errors import SourceError
from streamlight.evaluation import pairs, report, video
from streamlight.evaluation.pairs import Method
from streamlight.evaluation.synthesis import ClipForm
from streamlight.evaluation.tables import as_text
from streamlight.frame import Image

_NIQE = (
    "NIQE: features and distance of Mittal et al. 2013, with streamlight's own model of pristine "
    "pictures; it orders results and does not compare with published values"
)


def on_pictures(
    low: Path,
    high: Path | None,
    ev: list[float] | None,
    seed: int,
    limit: int | None,
    methods: Sequence[Method],
    output: Path,
    facts: dict[str, Any],
) -> None:
    """Measure the methods on a folder of pictures, with references where there are any."""
    source = (
        pairs.darkened_pictures(low, ev, seed, limit)
        if ev
        else islice(pairs.folder_pictures(low, high), limit)
    )
    sheet = report.ContactSheet()
    rows = []
    with _progress() as show:
        for row in pairs.evaluate(source, methods, sheet.add):
            rows.append(row)
            show(f"{row.image}: {row.method} {row.sampling}")
    summary = pairs.summarise(rows)
    report.write_csv(output / "images.csv", [asdict(row) for row in rows])
    sheet.write(output / "sheet.jpg")
    report.plot_figures(output / "figures.png", rows)
    facts |= {"low": str(low), "high": str(high or ""), "ev": ev, "niqe": _NIQE}
    _finish(output, "Pictures", facts, summary)


def on_protocol(
    folder: Path | None,
    form: Mapping[str, Any],
    methods: Sequence[Method],
    output: Path,
    facts: dict[str, Any],
) -> None:
    """Measure steadiness on the synthetic clips."""
    names, first, second = _two_pictures(folder)
    with _progress() as show:
        rows, courses = video.run_protocol(first, second, methods, ClipForm(**form), show)
    report.write_csv(output / "video.csv", rows)
    for course in courses:
        report.plot_luma(output / f"luma_{course.clip}.png", course)
    facts |= {"pictures": names, "form": dict(form), "figures": video.FIGURES}
    facts["luma"] = [asdict(course) for course in courses]
    _finish(output, "Steadiness", facts, rows)


def on_clip(
    clip: Path,
    limit: int | None,
    is_static: bool,
    methods: Sequence[Method],
    output: Path,
    facts: dict[str, Any],
) -> None:
    """Measure steadiness on a clip of the user's own."""
    with _progress() as show:
        rows, course = video.run_clip(clip, methods, limit, is_static, show)
    report.write_csv(output / "video.csv", rows)
    report.plot_luma(output / "luma.png", course)
    facts |= {"clip": str(clip), "static": is_static, "luma": [asdict(course)]}
    _finish(output, "Steadiness", facts, rows)


def _finish(
    output: Path, title: str, facts: dict[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write the summary, and print its table."""
    notes = [f"{key}: {value}" for key, value in facts.items() if isinstance(value, str) and value]
    notes += [f"{key}: {value}" for key, value in facts.get("figures", {}).items()]
    notes += [f"{name}: {backend}" for name, backend in facts["networks"].items()]
    report.write_json(
        output / "summary.json", facts | {"versions": versions(), "rows": [*map(dict, rows)]}
    )
    report.write_markdown(output / "summary.md", title, notes, rows)
    print_table(*as_text(rows))
    say(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")


def _two_pictures(folder: Path | None) -> tuple[list[str], Image, Image]:
    if folder is None:
        from skimage import data

        return ["scikit-image chelsea", "scikit-image coffee"], data.chelsea(), data.coffee()
    found = list(islice(pairs.folder_pictures(folder), 2))
    if len(found) < 2:
        raise SourceError(f"{folder}: two pictures were expected, of different scenes")
    first, second = found
    return [first.name, second.name], first.dark, second.dark


def networks(methods: Sequence[Method]) -> dict[str, str]:
    """Say which backend runs each network."""
    return {method.name: method.backend for method in methods if method.backend}


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done, in one line of the terminal; nothing where there is none."""
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(Text(text))
