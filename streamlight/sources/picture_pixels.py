"""Pixels of a picture file as Pillow decodes them, of whatever kind, to grey or RGB."""

import io
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile

Pixels = NDArray[Any]
"""(H, W) or (H, W, C), uint8 or uint16."""


def decode_pixels(file: ImageFile) -> Pixels | None:
    """Decode an open file.

    Returns:
        (H, W, C), of 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 channels; None when its pixels are
        of a kind that cannot be shown as such (floating point, 32 bits).

    Raises:
        OSError, SyntaxError and many more: the file is damaged (Pillow's errors).
    """
    mode, has_key = file.mode, "transparency" in file.info
    if mode.startswith("I;16") or (mode == "I" and file.format == "PPM"):
        return np.array(file).astype(np.uint16)[:, :, None]
    if mode in ("1", "L", "LA"):
        image = file.convert("LA" if has_key or mode == "LA" else "L")
    elif mode in ("P", "PA"):
        image = file.convert("RGBA" if has_key or mode == "PA" else "RGB")
        colors = np.asarray(image)
        if (colors[:, :, :3] == colors[:, :, :1]).all():
            image = image.convert("LA" if image.mode == "RGBA" else "L")
    elif mode in ("RGB", "RGBX", "YCbCr"):
        image = file.convert("RGBA" if has_key else "RGB")
    elif mode in ("RGBA", "RGBa"):
        image = file.convert("RGBA")
    elif mode in ("CMYK", "LAB"):
        image = _to_srgb(file)
    else:
        return None
    pixels = np.array(image)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Turn (H, W, ...) upright; `orientation` is 1 to 8 as in EXIF 2.32, table 6."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _to_srgb(file: ImageFile) -> Image.Image:
    """Convert by the file's own profile; without a good one, by the plain formula."""
    file.load()
    profile: Any = None
    with suppress(ImageCms.PyCMSError, OSError):
        if file.mode == "LAB":
            profile = ImageCms.createProfile("LAB")
        elif icc := file.info.get("icc_profile"):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    if profile is not None:
        with suppress(ImageCms.PyCMSError):
            converted = ImageCms.profileToProfile(
                file,
                profile,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            if converted is not None:
                return converted
    return file.convert("RGB")
