"""Which filters treat each picture by itself, so that a run can begin in the middle."""

from __future__ import annotations

import re

from streamlight.errors import UsageError

_MEMORYLESS = """
    ass avgblur bilateral boxblur cas chromanr colorbalance colorchannelmixer colorcontrast
    colorcorrect colorlevels colormatrix colorspace colortemperature convolution crop curves
    dctdnoiz deband deblock delogo dilation drawbox drawgrid eq erosion exposure fillborders format
    gblur grayworld hflip hue lenscorrection limiter lut lut1d lut3d lutrgb lutyuv median
    monochrome negate nlmeans null pad perspective rotate sab scale setdar setparams setsar shear
    smartblur sobel subtitles transpose unsharp vflip vibrance
    """
"""One picture out for each that goes in, at the same time, whatever came before."""

_QUOTED = re.compile(r"\\.|'[^']*'", re.DOTALL)
_LABELS = re.compile(r"\[[^\]]*\]")
_COUNTS = re.compile(r"\bn\b|\bframe_num\b|\brandom\b")
"""Variables of expressions that say how many pictures came before."""


def check_memoryless(chain: str) -> None:
    """Refuse a chain whose result depends on the pictures that went through it before.

    Args:
        chain: as `--post-filter` takes it.

    Raises:
        UsageError: it has such a filter, or one that is not known.
    """
    plain = _LABELS.sub("", _QUOTED.sub("", chain))
    names = [re.split(r"[=@]", part.strip(), maxsplit=1)[0] for part in re.split("[,;]", plain)]
    for name in names:
        if name and name not in _MEMORYLESS.split():
            raise UsageError(
                f"--resume cannot begin in the middle of --post-filter {name}: its result may "
                "depend on earlier pictures. Leave out one of the two, or filter afterwards"
            )
    if counts := _COUNTS.search(chain):
        raise UsageError(
            f"--resume cannot begin in the middle of a --post-filter with {counts[0]!r}, which "
            "depends on earlier pictures; use the time t, or leave out one of the two"
        )
