"""What a name says: a picture, or a numbered sequence of pictures. Opens nothing."""

import re
from pathlib import Path

from streamlight.errors import UsageError

WRITABLE = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif")
"""Extensions that a picture can be written with; the extension chooses the format."""

_READ_ONLY = (".jfif", ".jpe", ".mpo", ".bmp", ".dib", ".ppm", ".pgm", ".pnm")

REFUSED = {
    ".heic": "HEIC",
    ".heif": "HEIC",
    ".hif": "HEIC",
    ".jxl": "JPEG XL",
    ".dng": "a raw photograph",
    ".cr2": "a raw photograph",
    ".cr3": "a raw photograph",
    ".nef": "a raw photograph",
    ".arw": "a raw photograph",
    ".raf": "a raw photograph",
    ".orf": "a raw photograph",
    ".rw2": "a raw photograph",
}
"""Extensions of pictures that are recognised, so that the message can say what to do."""

_NUMBER = re.compile(r"%(0\d{1,2})?d")
_GLOB = re.compile(r"[*?\[]")
_DIGITS = re.compile(r"(\d+)")


def is_picture(path: str | Path) -> bool:
    """Whether a name's extension is that of a still picture.

    GIF and APNG are not among them, because they are mostly animated; `read_picture` reads those
    that are not.
    """
    extension = Path(path).suffix.lower()
    return extension in WRITABLE or extension in _READ_ONLY or extension in REFUSED


def is_sequence(path: str | Path) -> bool:
    """Whether a name means many pictures: `frame_%05d.png`, or a pattern such as `*.png`.

    A file that bears the very name is that file.
    """
    path = Path(path)
    if not is_picture(path) or not (_NUMBER.search(path.name) or _GLOB.search(path.name)):
        return False
    try:
        return not path.exists()
    except OSError:  # the name is too long
        return True


def output_extension(path: str | Path) -> str:
    """Return the extension that the result of a picture gets when nobody chose one."""
    extension = Path(path).suffix.lower()
    if extension in (".jfif", ".jpe", ".mpo"):
        return ".jpg"
    return extension if extension in WRITABLE else ".png"


class NumberedName:
    """A printf-like pattern, such as `night/frame_%05d.png`.

    Attributes:
        path: the pattern.
        folder: where the pictures lie.
    """

    def __init__(self, pattern: str | Path) -> None:
        """Take a pattern apart.

        Raises:
            UsageError: the file name has not exactly one %d, or the folder has one.
        """
        self.path = Path(pattern)
        self.folder = self.path.parent
        name = self.path.name
        if "%d" in str(self.folder) or len(_NUMBER.findall(name)) != 1:
            raise UsageError(
                f"{pattern}: a sequence needs one number in its file name, as in frame_%05d.png"
            )
        before, digits, after = _NUMBER.split(name)
        self._before, self._after = before.replace("%%", "%"), after.replace("%%", "%")
        self._width = int(digits or 0)
        self._match = re.compile(
            re.escape(self._before) + r"(\d+)" + re.escape(self._after), re.DOTALL
        )

    def path_of(self, number: int) -> Path:
        """Return the path of the picture with that number."""
        return self.folder / f"{self._before}{number:0{self._width}d}{self._after}"

    def numbers(self) -> list[int]:
        """Return the numbers of the pictures that are in the folder, in ascending order.

        Raises:
            OSError: the folder cannot be read.
        """
        found = (self._match.fullmatch(path.name) for path in self.folder.iterdir())
        numbers = {match[1]: int(match[1]) for match in found if match}
        return sorted(n for text, n in numbers.items() if text == f"{n:0{self._width}d}")


def natural_order(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame_9 comes before frame_10."""
    parts = _DIGITS.split(path.name)
    return [(int(p), p) if p.isdecimal() else (-1, p) for p in parts if p]
