"""HDR pictures to SDR, at the speed of video.

The formulae of `streamlight.hdr` are computed for 65x65x65 colours, in even steps of the coded
signal, and libavfilter's `lut3d` interpolates between them. PQ and HLG are made to be even for the
eye, so even steps are good ones; and its tetrahedra meet where two channels are equal, which is
where the greatest of them changes. What the table costs in exactness is in docs/color.md.
"""

import struct
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import SideData
from av.sidedata.sidedata import Type as SideDataType
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Primaries, Transfer, is_hdr
from streamlight.errors import SourceError
from streamlight.frame import Image
from streamlight.hdr import Chromaticity, HdrMetadata, sdr_of_hdr, source_peak_nits
from streamlight.sources.rgb import plane_rows

__all__ = ["ToneMapper", "hdr_metadata_of", "is_hdr"]

_NODES = 65
_THREADS = 2

_MASTERING = struct.Struct("=20i2i")
"""AVMasteringDisplayMetadata of libavutil: x and y of red, green, blue and white, least and
greatest luminance, all as rationals; then whether primaries and luminance are there."""
_LIGHT = struct.Struct("=2I")
"""AVContentLightMetadata: MaxCLL, MaxFALL."""


class ToneMapper:
    """Maps pictures of PQ or HLG to BT.709 SDR; may be called from several threads.

    Attributes:
        peak_nits: how bright the source is taken to get.
        note: one line for the user.
    """

    def __init__(self, color: ColorSpec, metadata: HdrMetadata | None = None) -> None:
        """Note what to do; the first picture makes the table.

        Args:
            color: of the source; PQ or HLG. Unstated primaries are taken for BT.2020.
            metadata: what the source says of its brightness.
        """
        if not is_hdr(color):
            raise ValueError(f"expected PQ or HLG, got transfer {color.transfer}")
        self.peak_nits = source_peak_nits(color.transfer, metadata)
        curve = "HLG" if color.transfer == Transfer.HLG else "PQ"
        is_wide = color.primaries in (Primaries.BT2020, Primaries.UNSPECIFIED)
        gamut = "BT.2020" if is_wide else f"primaries {color.primaries}"
        self.note = f"HDR ({curve}, {gamut}) is tone-mapped to SDR (BT.709); --hdr keep keeps it"
        self._color = color
        self._lock = threading.Lock()
        self._graph: av.filter.Graph | None = None
        self._size = (0, 0)

    def __call__(self, image: Image) -> Image:
        """Map RGB uint16 (H, W, 3) as it is coded to RGB uint16 of BT.709 for BT.1886.

        Raises:
            SourceError: the folder of temporary files cannot be written.
        """
        source = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb48le")
        source.pts = 0
        with self._lock:
            if self._graph is None or self._size != (source.width, source.height):
                self._size = source.width, source.height
                self._graph = self._build(*self._size)
            self._graph.vpush(source)
            mapped = self._graph.vpull()
        rows = plane_rows(mapped.planes[0], np.dtype(np.uint16))[:, : mapped.width * 3]
        return np.ascontiguousarray(rows).reshape(mapped.height, mapped.width, 3)

    def _build(self, width: int, height: int) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = _THREADS
        source = graph.add_buffer(
            width=width,
            height=height,
            format=av.VideoFormat("rgb48le"),
            time_base=Fraction(1, 25),
        )
        table = _table(self._color.transfer, self._color.primaries, self.peak_nits)
        with _cube_file(table) as path:
            lut = graph.add("lut3d", file=str(path), interp="tetrahedral")
        # planar inside: there it has vector code, 15 ms instead of 40 for 1080p
        inside, outside = graph.add("format", "gbrp16le"), graph.add("format", "rgb48le")
        graph.link_nodes(source, inside, lut, outside, graph.add("buffersink"))
        graph.configure()
        return graph


def hdr_metadata_of(frame: av.VideoFrame) -> HdrMetadata | None:
    """Read what a decoded picture says of its brightness; None where it says nothing.

    It is in the first picture, from the container, an SEI message or an OBU.
    """
    data = {item.type: bytes(item) for item in cast(Sequence[SideData], frame.side_data)}
    mastering = data.get(SideDataType.MASTERING_DISPLAY_METADATA, b"")
    light = data.get(SideDataType.CONTENT_LIGHT_LEVEL, b"")
    primaries: tuple[Chromaticity, Chromaticity, Chromaticity] | None = None
    white: Chromaticity | None = None
    least = greatest = None
    if len(mastering) >= _MASTERING.size:
        *numbers, has_primaries, has_luminance = _MASTERING.unpack_from(mastering)
        values = [
            top / bottom if bottom else 0.0
            for top, bottom in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        if has_primaries:
            x, y = values[:8:2], values[1:8:2]
            primaries = (x[0], y[0]), (x[1], y[1]), (x[2], y[2])
            white = x[3], y[3]
        if has_luminance and values[9] > 0:
            least, greatest = values[8], values[9]
    # 0 means unknown (CTA-861.3)
    max_cll, max_fall = _LIGHT.unpack_from(light) if len(light) >= _LIGHT.size else (0, 0)
    found = HdrMetadata(greatest, least, primaries, white, max_cll or None, max_fall or None)
    return None if found == HdrMetadata() else found


@lru_cache(maxsize=2)
def _table(transfer: int, primaries: int, peak_nits: float) -> NDArray[np.uint16]:
    """Map colours of all combinations of evenly spread codes, red fastest: (N, 3)."""
    codes = np.linspace(0, 1, _NODES)
    blue, green, red = np.meshgrid(codes, codes, codes, indexing="ij")
    signal = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    mapped = sdr_of_hdr(signal, transfer, primaries, peak_nits)
    return np.rint(mapped * 65535).astype(np.uint16)


@contextmanager
def _cube_file(table: NDArray[np.uint16]) -> Iterator[Path]:
    """Write a table as `lut3d` reads it, for as long as the block lasts."""
    words = [f"{value / 65535:.6f}" for value in range(65536)]
    lines = [f"{words[r]} {words[g]} {words[b]}\n" for r, g, b in table.tolist()]
    try:
        with tempfile.TemporaryDirectory(prefix="streamlight-") as folder:
            path = Path(folder, "hdr.cube")
            path.write_text(f"LUT_3D_SIZE {_NODES}\n" + "".join(lines), encoding="ascii")
            yield path
    except OSError as error:
        raise SourceError(
            f"tone mapping needs 8 MB in the folder of temporary files ({error.strerror}); "
            "free some space, or name another folder in TMPDIR"
        ) from error
