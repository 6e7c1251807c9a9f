"""Dark pictures and clips made from bright ones, the same ones on every machine.

The recipe: undo the sRGB curve, multiply by 2^EV, add Gaussian noise of variance
`shot * signal + read^2` (in units of white), clip, apply the sRGB curve, round to 8 bits.
Clips are made frame by frame when they are asked for; nothing is stored.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from streamlight.errors import SourceError, UsageError
from streamlight.frame import Image

EXPOSURES_EV = (0.0, -2.0, -3.0, -4.0)
"""Of the synthetic protocol."""

SHOT = 1.25e-4
READ = 1e-3

_PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}

_CODES = np.arange(256) / 255
_TO_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)
"""Light of each sRGB code (IEC 61966-2-1)."""


def darken(
    image: Image, ev: float, rng: np.random.Generator, shot: float = SHOT, read: float = READ
) -> Image:
    """Expose a picture by so many stops more (negative: less) and add a sensor's noise.

    Args:
        image: uint8 RGB (H, W, 3), sRGB.
        ev: stops; -3 leaves an eighth of the light.
        rng: of the noise.
        shot: variance of the noise at white.
        read: standard deviation of the noise at black, in units of white.

    Returns:
        uint8 RGB (H, W, 3), sRGB.
    """
    return _develop(_TO_LINEAR[image] * np.float32(2.0**ev), rng, shot, read)


def _develop(
    light: NDArray[np.float32], rng: np.random.Generator, shot: float, read: float
) -> Image:
    """Add noise to linear light and encode it as 8-bit sRGB."""
    noise = rng.standard_normal(light.shape, np.float32)
    noise *= np.sqrt(np.float32(shot) * light + np.float32(read**2))
    return _encode(light + noise)


def _encode(light: NDArray[np.float32]) -> Image:
    light = np.clip(light, 0, 1)
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(curve * 255), np.uint8)


def read_pictures(folder: Path) -> Iterator[tuple[str, Image]]:
    """Read the pictures of a folder, such as Kodak's, in the order of their names.

    Yields:
        Name without suffix, and uint8 RGB (H, W, 3).

    Raises:
        SourceError: the folder holds no picture, or one cannot be read.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in _PICTURE_SUFFIXES)
    if not paths:
        raise SourceError(f"{folder}: no pictures ({', '.join(sorted(_PICTURE_SUFFIXES))})")
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise SourceError(f"{path}: cannot be read as a picture")
        yield path.stem, np.ascontiguousarray(picture[:, :, ::-1])


def dark_pairs(folder: Path, ev: float, seed: int = 0) -> Iterator[tuple[str, Image, Image]]:
    """Darken each picture of a folder.

    The noise of a picture depends on the seed, the exposure and the picture's place in the
    folder, not on what was made before.

    Yields:
        Name, dark picture, bright reference; both uint8 RGB (H, W, 3).
    """
    for index, (name, picture) in enumerate(read_pictures(folder)):
        rng = np.random.default_rng([seed, index, round(1000 * (ev + 100))])
        yield name, darken(picture, ev, rng), picture


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a clip.

    Attributes:
        name: "step", "flash", "cut" or "fade".
        frame: the first frame that shows it.
        end: the first frame after it; the clip's end when it stays.
    """

    name: str
    frame: int
    end: int


@dataclass(frozen=True, slots=True)
class Clip:
    """A dark clip and the bright one that it was made from.

    Each frame can be made by itself and comes out the same every time. Changes of the light are
    in the dark clip only: the reference shows the scene well exposed throughout.

    Attributes:
        name: what happens in it.
        fps: frames per second.
        frames: how many.
        size: width and height in pixels.
        seed: of the noise.
        events: in the order of time.
        scene: linear light (H, W, 3) of the well-exposed scene at a frame.
        gain: what the light of a frame is multiplied by.
    """

    name: str
    fps: float
    frames: int
    size: tuple[int, int]
    seed: int
    events: tuple[Event, ...]
    scene: Callable[[int], NDArray[np.float32]]
    gain: Callable[[int], float]

    def dark(self, index: int) -> Image:
        """Frame `index` in the dark, with its noise: uint8 RGB (H, W, 3)."""
        rng = np.random.default_rng([self.seed, index])
        return _develop(self.scene(index) * np.float32(self.gain(index)), rng, SHOT, READ)

    def reference(self, index: int) -> Image:
        """Frame `index` well exposed and clean: uint8 RGB (H, W, 3)."""
        return _encode(self.scene(index))

    def time_s(self, index: int) -> float:
        """When the frame is shown, in seconds."""
        return index / self.fps

    def __len__(self) -> int:
        """Count the frames."""
        return self.frames

    def __iter__(self) -> Iterator[tuple[Image, Image]]:
        """Make the pairs of dark frame and reference, one after the other."""
        for index in range(self.frames):
            yield self.dark(index), self.reference(index)


@dataclass(frozen=True, slots=True)
class ClipForm:
    """What the clips of a protocol have in common.

    Attributes:
        size: width and height in pixels.
        frames: how many.
        fps: frames per second.
        ev: of the darkening, in stops.
        seed: of the noise.
    """

    size: tuple[int, int] = (640, 360)
    frames: int = 50
    fps: float = 25.0
    ev: float = -4.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            UsageError: one makes no clip.
        """
        if min(self.size) < 1 or self.frames < 1 or not self.fps > 0:
            raise UsageError(f"{self}: size, frames and fps must be positive")


DEFAULT_FORM = ClipForm()


def static_clip(picture: Image, form: ClipForm = DEFAULT_FORM) -> Clip:
    """Nothing moves but the noise."""
    return _clip("static", form, _still(picture, form))


def pan_clip(picture: Image, form: ClipForm = DEFAULT_FORM, step_px: int = 1) -> Clip:
    """The camera pans to the right by `step_px` pixels a frame, and back at the picture's end.

    Frames are cut out, not interpolated. Only a picture that leaves no room for the whole way,
    or for a quarter of the width, is enlarged first.
    """
    width, height = form.size
    way = max(1, min(step_px * (form.frames - 1), width // 4))
    light = _TO_LINEAR[_covering(picture, width + way, height)]
    room = light.shape[1] - width

    def scene(index: int) -> NDArray[np.float32]:
        place = index * step_px % (2 * room)
        left = min(place, 2 * room - place)
        return light[:, left : left + width]

    return _clip("pan", form, scene)


def light_step_clip(
    picture: Image, form: ClipForm = DEFAULT_FORM, step_ev: float = 2.0, at: int | None = None
) -> Clip:
    """The light changes by `step_ev` stops at frame `at` (the middle) and stays so."""
    start = form.frames // 2 if at is None else at
    return _clip(
        "light-step",
        form,
        _still(picture, form),
        lambda index: 2.0**step_ev if index >= start else 1.0,
        (Event("step", start, form.frames),),
    )


def flash_clip(
    picture: Image,
    form: ClipForm = DEFAULT_FORM,
    flash_ev: float = 3.0,
    at: int | None = None,
    length: int = 2,
) -> Clip:
    """A flash lights `length` frames by `flash_ev` stops, from frame `at` (the middle) on."""
    start = form.frames // 2 if at is None else at
    return _clip(
        "flash",
        form,
        _still(picture, form),
        lambda index: 2.0**flash_ev if start <= index < start + length else 1.0,
        (Event("flash", start, start + length),),
    )


def cut_clip(
    first: Image, second: Image, form: ClipForm = DEFAULT_FORM, at: int | None = None
) -> Clip:
    """Another scene begins at frame `at` (the middle)."""
    start = form.frames // 2 if at is None else at
    before, after = _still(first, form), _still(second, form)
    return _clip(
        "cut",
        form,
        lambda index: after(index) if index >= start else before(index),
        events=(Event("cut", start, form.frames),),
    )


def fade_clip(
    first: Image,
    second: Image,
    form: ClipForm = DEFAULT_FORM,
    at: int | None = None,
    length: int | None = None,
) -> Clip:
    """One scene fades into another, linearly in light, over the middle half (or as said)."""
    start = form.frames // 4 if at is None else at
    duration = max(1, form.frames // 2 if length is None else length)
    before, after = _still(first, form), _still(second, form)

    def scene(index: int) -> NDArray[np.float32]:
        share = np.float32(np.clip((index - start + 1) / (duration + 1), 0, 1))
        return (1 - share) * before(index) + share * after(index)

    return _clip("fade", form, scene, events=(Event("fade", start, start + duration),))


def flicker_clip(
    picture: Image, form: ClipForm = DEFAULT_FORM, depth: float = 0.1, rate_hz: float = 5.0
) -> Clip:
    """The light swings by +-`depth` of itself, `rate_hz` times a second, as a sine."""
    return _clip(
        "flicker",
        form,
        _still(picture, form),
        lambda index: 1 + depth * float(np.sin(2 * np.pi * rate_hz * index / form.fps)),
    )


def protocol_clips(first: Image, second: Image, form: ClipForm = DEFAULT_FORM) -> Iterator[Clip]:
    """Make the clips of the protocol: every kind once, from two pictures of different scenes."""
    yield static_clip(first, form)
    yield pan_clip(first, form)
    yield light_step_clip(first, form)
    yield flash_clip(first, form)
    yield cut_clip(first, second, form)
    yield fade_clip(first, second, form)
    yield flicker_clip(first, form)


def _clip(
    name: str,
    form: ClipForm,
    scene: Callable[[int], NDArray[np.float32]],
    light: Callable[[int], float] = lambda index: 1.0,
    events: tuple[Event, ...] = (),
) -> Clip:
    dark = 2.0**form.ev
    for event in events:
        if not 0 <= event.frame < event.end <= form.frames:
            raise UsageError(
                f"{name}: frames {event.frame} to {event.end} are not within the clip's"
                f" {form.frames}"
            )
    return Clip(
        name=name,
        fps=form.fps,
        frames=form.frames,
        size=form.size,
        seed=form.seed,
        events=events,
        scene=scene,
        gain=lambda index: dark * light(index),
    )


def _still(picture: Image, form: ClipForm) -> Callable[[int], NDArray[np.float32]]:
    width, height = form.size
    covering = _covering(picture, width, height)
    left = (covering.shape[1] - width) // 2
    light = _TO_LINEAR[covering[:, left : left + width]]
    return lambda index: light


def _covering(picture: Image, width: int, height: int) -> Image:
    """Crop rows to `height` about the middle; enlarge first where the picture is too small."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    if scale > 1:
        enlarged = (
            max(width, round(picture.shape[1] * scale)),
            max(height, round(picture.shape[0] * scale)),
        )
        picture = cv2.resize(np.ascontiguousarray(picture), enlarged, interpolation=cv2.INTER_CUBIC)
    top = (picture.shape[0] - height) // 2
    return picture[top : top + height]
