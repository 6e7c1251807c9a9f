"""Which format a picture file has, and what its reader raises."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sources.picture_names import REFUSED
from streamlight.sources.png import SIGNATURE

MAX_PIXELS = 1 << 28
"""Width times height of the largest picture that is read: 16384x16384, 268 megapixels. Pillow's
own limit, 179, is meant for servers, and less than some stitched panoramas have."""

UNREADABLE = (
    OSError,
    SyntaxError,  # what Pillow raises for a file that breaks the format
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    RuntimeError,
    AttributeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for damaged files."""

READERS: dict[str, Callable[..., ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
}
"""Called directly, because Image.open would apply a limit that belongs to the whole process."""

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (SIGNATURE, "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        SourceError: it is missing, empty, a folder or unreadable.
    """
    try:
        if path.is_dir():
            raise SourceError(f"{path}: is a folder; a picture was expected")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise SourceError(f"{path}: no such file") from error
    except PermissionError as error:
        raise SourceError(f"{path}: no permission to read it") from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{path}: cannot be read ({reason_of(error)})") from error
    if not data:
        raise SourceError(f"{path}: the file is empty")
    return data


def format_of(data: bytes, path: Path) -> str:
    """Tell the format, a key of `READERS`, by the first bytes: a wrong extension does no harm.

    Raises:
        SourceError: it is none of them.
        UnsupportedSourceError: it is known, and not read; the message says what to do.
    """
    if REFUSED.get(path.suffix.lower()) == "a raw photograph":
        raise UnsupportedSourceError(
            f"{path}: is a raw photograph; develop it to a 16-bit TIFF first, with darktable or "
            "RawTherapee"
        )
    for start, format_ in _SIGNATURES:
        if data.startswith(start):
            return format_
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PNM"
    brand, others = (data[8:12], data[12:40]) if data[4:8] == b"ftyp" else (b"", b"")
    if brand in _AVIF_BRANDS or (brand in (b"mif1", b"miaf") and b"avif" in others):
        return "AVIF"
    if brand in _HEIC_BRANDS:
        raise _needs_conversion(path, "HEIC", "heif-convert")
    if data.startswith(_JPEG_XL):
        raise _needs_conversion(path, "JPEG XL", "djxl")
    raise SourceError(f"{path}: not a picture that can be read; expected JPEG, PNG, WebP or TIFF")


def check_size(size: tuple[int, int], path: Path) -> None:
    """Check a width and height before memory is taken for them.

    Raises:
        SourceError: there are no pixels, or more than `MAX_PIXELS`.
    """
    if min(size) <= 0:
        raise SourceError(f"{path}: the picture is damaged: its size is {size[0]}x{size[1]}")
    if size[0] * size[1] > MAX_PIXELS:
        raise too_large(path, f"{size[0]}x{size[1]} pixels")


def too_large(path: Path, size: str = "too many pixels") -> SourceError:
    """Return the error of a picture that is not read because of its size."""
    most = MAX_PIXELS // 1_000_000
    return SourceError(f"{path}: has {size}; at most {most} million are read; cut it into parts")


def reason_of(error: BaseException) -> str:
    """Take the first line of another library's words."""
    words = getattr(error, "strerror", None) or str(error)
    return (words.splitlines() or [type(error).__name__])[0]


def _needs_conversion(path: Path, kind: str, program: str) -> UnsupportedSourceError:
    return UnsupportedSourceError(
        f"{path}: {kind} is not read; convert it first: {program} {path.name} {path.stem}.png"
    )
