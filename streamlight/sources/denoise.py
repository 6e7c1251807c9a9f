"""Less noise before the network, by libavfilter's adaptive temporal averaging.

`atadenoise` averages each pixel with itself in the frames before and after, as long as it stays
within a threshold: what moves is left alone. It needs no motion search, keeps the number of frames
and their timestamps, and costs a few milliseconds a frame.
"""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import count

import av

from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.sources.filters import FilterChain

DENOISE = ("off", "light", "strong")
"""What `--denoise` takes."""

_ARGUMENTS = {
    "light": "0a=0.02:0b=0.04:1a=0.02:1b=0.04:2a=0.02:2b=0.04:s=5",
    "strong": "0a=0.04:0b=0.08:1a=0.04:1b=0.08:2a=0.04:2b=0.08:s=9",
}
"""For each plane: threshold of one pixel, threshold of the sum; and the number of frames."""


def check_denoise(level: str) -> None:
    """Check a level.

    Raises:
        UsageError: there is no such level.
    """
    if level not in DENOISE:
        raise UsageError(f"--denoise {level}: choose one of {', '.join(DENOISE)}")


def denoised(
    pictures: Iterable[av.VideoFrame], level: str, unit: Fraction
) -> Iterator[av.VideoFrame]:
    """Yield the pictures with less noise; as many, with the same timestamps.

    Args:
        pictures: decoded, all of one size and format.
        level: "off" passes them on; "light" averages 5 frames, "strong" 9.
        unit: seconds per tick of their timestamps.

    Raises:
        SourceError: the filter fails.
    """
    chain: FilterChain | None = None
    for picture in pictures:
        if level == "off":
            yield picture
            continue
        if chain is None:
            chain = FilterChain(f"atadenoise={_ARGUMENTS[level]}", "--denoise", picture, unit)
        yield from chain.push(picture)
        del picture
    if chain is not None:
        yield from chain.flush()


def denoised_images(images: Sequence[Image], level: str) -> list[Image]:
    """Take noise out of the frames of a clip, without a codec's or a colour matrix's losses.

    Args:
        images: uint8 RGB (H, W, 3), all of one size, at an even rate.
        level: as for `denoised`.

    Raises:
        UsageError: there is no such level.
    """
    check_denoise(level)
    if level == "off":
        return list(images)
    pictures = denoised(map(_planes, count(), images), level, Fraction(1, 25))
    return [picture.to_ndarray(format="rgb24") for picture in pictures]


def _planes(index: int, image: Image) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="gbrp")
    picture.pts = index
    return picture
