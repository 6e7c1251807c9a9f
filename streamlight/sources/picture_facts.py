"""Reads the facts of a still picture: what `streamlight info` shows of it."""

import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streamlight.errors import BackendUnavailableError, SourceError
from streamlight.facts import FileFacts, PictureFacts
from streamlight.frame import Image
from streamlight.models.spec import PRIOR_SIZE
from streamlight.sources.luma import judge_brightness

if TYPE_CHECKING:
    from PIL import Image as pillow

_MAKE, _MODEL, _ORIENTATION, _DATE = 0x010F, 0x0110, 0x0112, 0x0132
_EXIF_FOLDER, _TAKEN_AT = 0x8769, 0x9003
"""Tags of EXIF 2.32, tables 4 and 8."""

_BITS = {"1": 1, "I;16": 16, "I;16B": 16, "I;16L": 16, "I": 32, "F": 32}


def probe_picture(path: str | Path) -> FileFacts:
    """Read the facts of a JPEG, PNG, WebP, TIFF and whatever else Pillow opens.

    Raises:
        SourceError: the file cannot be read, or is no picture.
        BackendUnavailableError: Pillow is not installed.
    """
    try:
        import PIL.Image
        from PIL import UnidentifiedImageError
    except ImportError as error:
        raise BackendUnavailableError(
            f"{path}: pictures need Pillow: pip install pillow"
        ) from error
    path = Path(path)
    problems = []
    brightness = None
    try:
        with warnings.catch_warnings(), PIL.Image.open(path) as picture:
            warnings.simplefilter("ignore")  # of large pictures, and of EXIF with errors
            facts = _describe(picture)
            try:
                brightness = judge_brightness([_view_of(picture)])
            except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
                problems.append(f"the picture cannot be decoded ({error})")
            container_name = picture.format_description or facts.format
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except (UnidentifiedImageError, PIL.Image.DecompressionBombError, SyntaxError) as error:
        raise SourceError(f"{path}: not a picture, or damaged beyond reading") from error
    except OSError as error:
        reason = error.strerror or error
        raise SourceError(f"{path}: cannot be read ({reason})") from error
    return FileFacts(
        path=str(path),
        kind="picture",
        size_bytes=path.stat().st_size,
        container=facts.format,
        container_name=container_name,
        picture=facts,
        brightness=brightness,
        problems=tuple(problems),
    )


def _describe(picture: "pillow.Image") -> PictureFacts:
    width, height = picture.size
    exif = picture.getexif()
    orientation = exif.get(_ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    taken_at = exif.get_ifd(_EXIF_FOLDER).get(_TAKEN_AT) or exif.get(_DATE)
    camera = " ".join(str(exif[tag]).strip("\0 ") for tag in (_MAKE, _MODEL) if exif.get(tag))
    is_turned = orientation >= 5
    return PictureFacts(
        format=picture.format or "unknown",
        width=width,
        height=height,
        display_width=height if is_turned else width,
        display_height=width if is_turned else height,
        orientation=orientation,
        mode=picture.mode,
        bits=_bits_of(picture),
        has_alpha="A" in picture.getbands() or "transparency" in picture.info,
        icc_profile=_profile_name(picture.info.get("icc_profile")),
        taken_at=str(taken_at).strip("\0 ") if taken_at else None,
        camera=camera or None,
        pages=getattr(picture, "n_frames", 1),
    )


def _bits_of(picture: "pillow.Image") -> int:
    """Tell the bits of a channel as they are in the file: Pillow opens 16-bit RGB as 8 bits."""
    if picture.format == "TIFF":
        stated = getattr(picture, "tag_v2", {}).get(258)  # BitsPerSample
        if stated:
            return int(stated[0] if isinstance(stated, tuple) else stated)
    if picture.format == "PNG":
        with open(picture.filename, "rb") as file:  # type: ignore[attr-defined]
            header = file.read(26)
        if header[12:16] == b"IHDR":
            return 8 if header[25] == 3 else header[24]  # of a palette's entries
    return _BITS.get(picture.mode, 8)


def _profile_name(profile: bytes | None) -> str | None:
    """Read the description of an ICC profile (ICC.1:2022, 9.2.41)."""
    if not profile:
        return None
    from PIL import ImageCms

    try:
        opened = ImageCms.ImageCmsProfile(BytesIO(profile))
        name: str = ImageCms.getProfileDescription(opened)
        return name.strip() or "unnamed"
    except (ImageCms.PyCMSError, OSError, struct.error):
        return "unreadable"


def _view_of(picture: "pillow.Image") -> Image:
    """Shrink a picture to at most 96x96: RGB uint8 (H, W, 3)."""
    picture.draft("RGB", (2 * PRIOR_SIZE, 2 * PRIOR_SIZE))  # a JPEG is decoded small
    width, height = min(picture.width, PRIOR_SIZE), min(picture.height, PRIOR_SIZE)
    if picture.mode.startswith("I;16") or picture.mode == "I":
        deep = np.asarray(picture, np.float32) / 257
        rows = np.arange(height) * deep.shape[0] // height
        columns = np.arange(width) * deep.shape[1] // width
        small = deep[rows[:, None], columns].clip(0, 255).astype(np.uint8)
        return np.repeat(small[..., None], 3, axis=-1)
    small_picture = picture.convert("RGB").reduce(
        (max(1, picture.width // width), max(1, picture.height // height))
    )
    return np.asarray(small_picture)
