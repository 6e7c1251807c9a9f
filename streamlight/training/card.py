"""The model card: what a network was trained on and how, and what came of it."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from streamlight.errors import SourceError
from streamlight.evaluation.tables import Table, markdown_table
from streamlight.models.spec import ModelSpec
from streamlight.training.options import TrainingOptions
from streamlight.training.origin import DRAWN, Origin

_TOLD = ("crop", "zooms", "schedule", "rate", "weight_decay", "ema", "keep", "freeze")
"""Options of the run that a card tells, beside what its sentences say."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card tells.

    Attributes:
        name: of the model.
        spec: of its network.
        is_meter_fitted: whether its meter, if it has one, is fitted.
        options: of the run.
        steps: that were done.
        minutes: that they took.
        device: that they ran on.
        origin: how it began.
        photographs: how many it saw.
        skipped: how many could not be used.
        licences: how many under each licence; empty where no index told.
        has_pictures: whether it was given pictures to evaluate on.
        results: rows of `streamlight.training.validation.validate`.
    """

    name: str
    spec: ModelSpec
    is_meter_fitted: bool
    options: TrainingOptions
    steps: int
    minutes: float
    device: str
    origin: Origin
    photographs: int
    skipped: int
    licences: dict[str, int]
    has_pictures: bool
    results: Table


def model_card(facts: CardFacts) -> str:
    """Write the card in Markdown."""
    spec = facts.spec
    widths = " -> ".join(str(width) for width in spec.detail_widths)
    options = facts.options
    lines = [
        f"# Model card: {facts.name}",
        "",
        f"A GLADNet of {spec.parameters:,} parameters: {spec.prior_channels} prior channels, "
        f"hidden widths {widths} of the detail network"
        f"{' in the affine form' if spec.is_affine else ''}, pixel-unshuffle by {spec.unshuffle}"
        f"{_meter(facts) if spec.is_metered else ''}. Weights in FP16.",
        "",
        "## Data",
        "",
        f"{facts.photographs} photographs; {facts.skipped} could not be used.",
        *_licences(facts.licences),
        "",
        "## Recipe",
        "",
        f"`{facts.origin.command}`",
        "",
        f"Began with {facts.origin.init or DRAWN}"
        + (f", taught by {facts.origin.teacher}" if facts.origin.teacher else "")
        + (f", held to that in all but --add {options.add}" if options.add else "")
        + f". {facts.steps} steps of {options.batch} pairs in {facts.minutes:.0f} minutes on "
        f"{facts.device}, {options.precision.upper()}, seed {options.seed}.",
        "",
        *[f"- {name}: {value}" for name, value in _told(options)],
        "",
        "## Results",
        "",
    ]
    if facts.results:
        lines += [
            "Means over pictures that were not trained on, each from 16 views.",
            "A row without EV is of real pairs.",
            "",
            markdown_table(facts.results).rstrip(),
        ]
    elif facts.has_pictures:
        lines.append("Not measured: the run did not get through its last evaluation.")
    else:
        lines.append("Not measured: the run was given no pictures to evaluate on.")
    return "\n".join(lines) + "\n"


def count_licences(index: Path, used: Iterable[Path]) -> dict[str, int]:
    """Count the licences of photographs by an index: CSV with the columns file and licence.

    Photographs are found in it by their file's name.

    Raises:
        SourceError: the index cannot be read, has no such columns, or a row lacks one of them.
    """
    try:
        with index.open(newline="", encoding="utf-8-sig") as file:  # Excel begins with a mark
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{index}: cannot be read as an index in CSV ({error})") from error
    if not rows or not {"file", "licence"} <= rows[0].keys():
        raise SourceError(f"{index}: columns `file` and `licence` were expected")
    for number, row in enumerate(rows, 1):
        if row["file"] is None or row["licence"] is None:
            raise SourceError(f"{index}: row {number} below the heading lacks file or licence")
    licences = {Path(row["file"]).name: row["licence"].strip(" :") for row in rows}
    counts = Counter(licences.get(path.name, "not in the index") for path in used)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _meter(facts: CardFacts) -> str:
    if facts.is_meter_fitted:
        return f"; with a meter, fitted to {facts.options.meter:,} views"
    return "; with a meter that is not fitted, and says nothing"


def _licences(licences: dict[str, int]) -> Sequence[str]:
    if not licences:
        return ["Their licences were not told (`--index`)."]
    return ["", *[f"- {count}: {licence}" for licence, count in licences.items()]]


def _told(options: TrainingOptions) -> Iterable[tuple[str, object]]:
    for name in _TOLD:
        yield name, getattr(options, name)
    loss = options.loss
    terms = f"L1 + {loss.coarse:g} coarse + {loss.structure:g} (1 - SSIM)"
    terms += f" + {loss.overall:g} of the whole frame"
    yield "loss", f"{terms} + {loss.agreement:g} disagreement of two views"
    for field in fields(options.recipe):
        if (value := getattr(options.recipe, field.name)) not in (None, 0.0):
            yield field.name, value
