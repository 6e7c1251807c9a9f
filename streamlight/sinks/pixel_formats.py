"""Which pixel format to write: the one that loses nothing of the source, or as little as can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import av
from av.codec.codec import Codec, UnknownCodecError

from streamlight.errors import UsageError
from streamlight.sinks.encoder_table import EncoderRow

_NAMES = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1", (1, 2): "4:4:0"}


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a pixel format keeps.

    Attributes:
        step_x: pixels in a row that share their chroma.
        step_y: rows that share their chroma.
        bits: of a sample.
        is_rgb: whether it holds red, green and blue.
    """

    step_x: int
    step_y: int
    bits: int
    is_rgb: bool = False

    def __str__(self) -> str:
        """Name it for people: "4:2:0 in 10 bits"."""
        chroma = "RGB" if self.is_rgb else _NAMES.get((self.step_x, self.step_y), "other")
        return f"{chroma} in {self.bits} bits"

    def fits(self, width: int, height: int) -> bool:
        """Whether a size is a whole number of chroma samples."""
        return width % self.step_x == 0 and height % self.step_y == 0


def sampling_of(pixel_format: str) -> Sampling:
    """Read a format's sampling from its description in libavutil.

    Raises:
        UsageError: libavutil knows no such format.
    """
    try:
        layout = av.VideoFormat(pixel_format, 64, 64)
    except ValueError as error:
        raise UsageError(f"--pix-fmt {pixel_format}: there is no such pixel format") from error
    luma = layout.components[0]
    if layout.is_rgb or len(layout.components) < 3:
        return Sampling(1, 1, luma.bits, layout.is_rgb)
    chroma = layout.components[1]
    return Sampling(luma.width // chroma.width, luma.height // chroma.height, luma.bits)


def wanted_sampling(source: av.VideoFormat, bits: int) -> Sampling:
    """Say what would keep a source whole.

    Grey pictures get colour samples of the least size, since the enhanced ones may have colour.
    RGB becomes 4:4:4 YCbCr, unless the encoder is asked for RGB or lossless.
    """
    if source.is_rgb:
        return Sampling(1, 1, bits)
    if len(source.components) < 3:
        return Sampling(2, 2, bits)
    found = sampling_of(source.name)
    return Sampling(found.step_x, found.step_y, bits)


def formats_of(row: EncoderRow) -> list[str]:
    """List the formats of an encoder that hold a coloured picture and no alpha; none if absent."""
    names: Iterable[str] = row.pixel_formats
    if not row.pixel_formats:
        try:
            names = [known.name for known in Codec(row.name, "w").video_formats or ()]
        except UnknownCodecError:
            return []
    return [name for name in names if _is_coloured(name)]


def nearest_format(row: EncoderRow, wanted: Sampling, size: tuple[int, int]) -> str | None:
    """Choose among an encoder's formats: colour first, then depth, then the smallest.

    Chroma of half the width cannot hold an odd width, nor of half the height an odd height,
    where a stream is cropped in units of chroma samples; such pictures get a finer sampling.

    Args:
        row: of the encoder.
        wanted: what the source has.
        size: width and height to encode.
    """

    def loss(name: str) -> tuple[int, ...]:
        has = sampling_of(name)
        coarser = max(0, has.step_x - wanted.step_x) + max(0, has.step_y - wanted.step_y)
        finer = max(0, wanted.step_x - has.step_x) + max(0, wanted.step_y - has.step_y)
        shallower, deeper = max(0, wanted.bits - has.bits), max(0, has.bits - wanted.bits)
        return (has.is_rgb != wanted.is_rgb, coarser, shallower, finer, deeper)

    fitting = [n for n in formats_of(row) if fits_size(row, n, size)]
    return min(fitting, key=loss) if fitting else None


def fits_size(row: EncoderRow, pixel_format: str, size: tuple[int, int]) -> bool:
    """Whether an encoder can write a size in a format."""
    return not row.crops_whole_chroma or sampling_of(pixel_format).fits(*size)


def lost(wanted: Sampling, pixel_format: str) -> str:
    """Say for people what a format does not keep; empty when it keeps all."""
    has = sampling_of(pixel_format)
    is_coarser = has.step_x > wanted.step_x or has.step_y > wanted.step_y
    return f"{wanted} becomes {has}" if is_coarser or has.bits < wanted.bits else ""


def _is_coloured(name: str) -> bool:
    layout = av.VideoFormat(name, 64, 64)
    if len(layout.components) != 3 or layout.components[0].bits > 16 or "f16" in name:
        return False  # grey, with alpha, of a device, or of floats
    return not name.startswith("yuvj")  # says the range in its name; a tag says it today
