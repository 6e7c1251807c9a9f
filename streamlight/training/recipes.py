"""What dark pictures are made of, as data: the paper's recipe and ours."""

from dataclasses import dataclass, fields, replace

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How pairs are made. Shares and chances are 0 to 1; ranges are drawn from uniformly.

    Attributes:
        black: share of pairs that are black, both.
        white: share of pairs that are white, both.
        grey: share of pairs without colour.
        identity: share of pairs that are well exposed already: the target is the picture.
        deepen: range of the exponent that all photographs' light is raised to.
        exposure_ev: of the other pairs, the stops from the photograph to the dark picture.
        clip: chance that the target is exposed longer than the photograph, and clips.
        clip_ev: by how many stops.
        highlights: chance that bright places of the scene are brighter than the photograph shows;
            the dark picture holds what the target clips.
        highlights_ev: by how many stops at most; the cube of a uniform number is drawn, so that
            half get an eighth of it or less.
        highlights_power: the power of that uniform number.
        flat_stays: photographs that clip get no `highlights` but where the dark picture clips the
            same places again, and no `clip`: clipped places that are darkened stay flat, and not
            brighter (`light.is_flat`).
        highlights_knee: range of the light from which on a place is bright.
        black_night_ev: `clip` only where the mean light of the dark picture is below so many
            stops from white, which the network can see: a picture so dark shows little of how it
            was meant, and real ones of that kind were meant bright.
        uneven: chance of lamps or of light that falls off, where the target is evenly lit.
        uneven_ev: stops from the lit to the dark places.
        street: chance of a street at night with many lamps, where the target is evenly lit.
        street_ev: exposure of the ground between the lamps.
        street_pools_ev: exposure of the middle of the lamps' pools.
        cast: chance of a colour cast.
        cast_ev: standard deviation of the stops that are drawn for each colour. Green's are taken
            off all three, so red and blue are off by 1.41 times as much.
        noise: chance of noise.
        shot: range of its variance at white (drawn by the logarithm).
        read: range of its deviation at black (likewise).
        mosaic: chance that noise is correlated as by demosaicing.
        black_level: chance that black is off.
        black_level_deviation: by how much, in units of white.
        tone: chance of another tone curve.
        tone_stops: the exponent is 2 to the power of a normal number of this deviation.
        jpeg: chance of JPEG artefacts.
        jpeg_quality: of the IJG library.
        h264: chance of H.264 artefacts.
        h264_crf: of libx264.
        vibrance: range of `camera.vibrance`, None for none.
        contrast: range of `camera.contrast`, None for none.
        nearest: weight of views taken by nearest neighbour at a random phase.
        area: weight of views taken by area averaging.
        many: weight of priors that are the mean over several phases.
    """

    black: float = 0.0
    white: float = 0.0
    grey: float = 0.0
    identity: float = 0.0
    deepen: Range = (1.0, 1.0)
    exposure_ev: Range = (-5.0, 0.0)
    clip: float = 0.0
    clip_ev: Range = (0.0, 2.0)
    highlights: float = 0.0
    highlights_ev: float = 4.0
    highlights_power: float = 3.0
    flat_stays: bool = False
    highlights_knee: Range = (0.35, 0.95)
    black_night_ev: float = 0.0
    uneven: float = 0.0
    uneven_ev: Range = (2.0, 6.0)
    street: float = 0.0
    street_ev: Range = (-5.0, -1.0)
    street_pools_ev: Range = (-0.5, 2.0)
    cast: float = 0.0
    cast_ev: float = 0.12
    noise: float = 0.0
    shot: Range = (3e-5, 6e-4)
    read: Range = (3e-4, 2.5e-3)
    mosaic: float = 0.0
    black_level: float = 0.0
    black_level_deviation: float = 1e-3
    tone: float = 0.0
    tone_stops: float = 0.15
    jpeg: float = 0.0
    jpeg_quality: Range = (40.0, 95.0)
    h264: float = 0.0
    h264_crf: Range = (18.0, 34.0)
    vibrance: Range | None = None
    contrast: Range | None = None
    nearest: float = 1.0
    area: float = 0.0
    many: float = 0.0

    def without(self, *steps: str) -> "Recipe":
        """Leave steps out (of `STEPS`), for an ablation."""
        off = {step: _OFF.get(step, 0.0) for step in steps}
        return replace(self, **off)  # type: ignore[arg-type]


_OFF: dict[str, Range | None] = {"vibrance": None, "contrast": None, "deepen": (1.0, 1.0)}
"""What leaves a step out whose value is no chance."""

_NO_CHANCES = ("black_night_ev", "area", "many")

STEPS = tuple(
    field.name
    for field in fields(Recipe)
    if field.name in _OFF
    or (isinstance(field.default, float) and field.default == 0 and field.name not in _NO_CHANCES)
)
"""What `Recipe.without` takes."""

ADDABLE = ("street", "uneven")
"""Kinds of light that one run can add to what a network knows (`TrainingOptions.add`)."""

PAPER = Recipe(
    black=0.02,
    white=0.02,
    grey=0.05,
    exposure_ev=(-5.0, 0.0),
    vibrance=(-1.0, 0.0),
    contrast=(-1.0, 0.0),
)
"""Section III of the paper: exposure, vibrance, contrast; grey, black and white pairs. It does
not tell the shares of the latter; these are ours."""

DEFAULT = Recipe(
    black=0.01,
    white=0.01,
    grey=0.03,
    identity=0.25,
    deepen=(1.0, 1.6),
    exposure_ev=(-7.0, -1.0),
    clip=0.3,
    clip_ev=(0.0, 1.6),
    highlights=0.7,
    black_night_ev=-6.8,
    uneven=0.15,
    cast=0.4,
    noise=0.9,
    mosaic=0.5,
    black_level=0.3,
    tone=0.25,
    jpeg=0.25,
    h264=0.04,
    nearest=0.55,
    area=0.2,
    many=0.15,
)
"""Ours; docs/training.md gives the reason of each departure."""

RECIPES = {"paper": PAPER, "default": DEFAULT}
