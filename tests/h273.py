"""Colour conversion in float64 from the text of ITU-T H.273, and frames of its numbers.

It shares no code with swscale or with streamlight, so it can judge both, at any number of bits.
"""

from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from clips import LUMA_WEIGHTS
from numpy.typing import NDArray

from streamlight.color import Matrix

Samples = NDArray[np.float64]
"""Y, Cb, Cr or R, G, B (H, W, 3)."""

FFMPEG_MATRIX = {
    Matrix.BT709: "bt709",
    Matrix.FCC: "fcc",
    Matrix.BT470BG: "bt470bg",
    Matrix.SMPTE170M: "smpte170m",
    Matrix.SMPTE240M: "smpte240m",
    Matrix.BT2020_NCL: "bt2020",
}
"""What ffmpeg's scale filter calls each matrix."""

BLOCK = 16
WIDTH, HEIGHT = 176, 192  # 132 blocks: each of the 125 colours, which cover the cube


def color_bars(steps: int = 5) -> Samples:
    """Blocks of one colour each, R'G'B' in [0, 1]."""
    levels = np.linspace(0, 1, steps)
    rows, columns = np.arange(HEIGHT) // BLOCK, np.arange(WIDTH) // BLOCK
    number = (rows[:, None] * (WIDTH // BLOCK) + columns) % steps**3
    color = [levels[number // steps**2], levels[number // steps % steps], levels[number % steps]]
    return np.stack(color, axis=-1)


def ycbcr_of(rgb: Samples, matrix: int, is_full: bool, bits: int) -> Samples:
    """Compute the samples of R'G'B' in [0, 1], not rounded (equations 20 to 25 and 38 to 40)."""
    k_r, k_b = LUMA_WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb, -1, 0)
    y = k_r * r + (1 - k_r - k_b) * g + k_b * b
    c_b, c_r = (b - y) / (2 * (1 - k_b)), (r - y) / (2 * (1 - k_r))
    scale, peak = 2 ** (bits - 8), 2**bits - 1
    if is_full:
        samples = [peak * y, peak * c_b + 128 * scale, peak * c_r + 128 * scale]
    else:
        samples = [scale * (219 * y + 16), scale * (224 * c_b + 128), scale * (224 * c_r + 128)]
    return np.stack(samples, axis=-1)


def rgb_of(ycbcr: NDArray[Any], matrix: int, is_full: bool, bits: int) -> Samples:
    """Compute R'G'B', clipped to [0, 1], of samples: the inverse of `ycbcr_of`."""
    k_r, k_b = LUMA_WEIGHTS[matrix]
    scale, peak = 2 ** (bits - 8), 2**bits - 1
    y, c_b, c_r = np.moveaxis(np.asarray(ycbcr, np.float64), -1, 0)
    if is_full:
        y, c_b, c_r = y / peak, (c_b - 128 * scale) / peak, (c_r - 128 * scale) / peak
    else:
        y = (y / scale - 16) / 219
        c_b, c_r = (c_b / scale - 128) / 224, (c_r / scale - 128) / 224
    r, b = y + 2 * (1 - k_r) * c_r, y + 2 * (1 - k_b) * c_b
    g = (y - k_r * r - k_b * b) / (1 - k_r - k_b)
    return np.stack([r, g, b], axis=-1).clip(0, 1)


def rounded(samples: Samples, bits: int) -> Samples:
    """Round and clip to what `bits` hold: full-range chroma reaches beyond."""
    return np.rint(samples).clip(0, 2**bits - 1)


def inside_blocks(samples: NDArray[Any]) -> NDArray[Any]:
    """Leave out what lies within 4 pixels of another colour: there, subsampled chroma mixes."""
    rows, columns = (np.arange(side) % BLOCK // 4 for side in samples.shape[:2])
    return np.asarray(samples[np.isin(rows, (1, 2))[:, None] & np.isin(columns, (1, 2))])


def frame_of(samples: Samples, pixel_format: str) -> av.VideoFrame:
    """Make a frame of rounded samples: Y, Cb, Cr; of RGB formats R, G, B. Alpha is 0.

    Subsampled chroma is that of the first pixel, which is exact inside blocks.
    """
    height, width = samples.shape[:2]
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        memory(plane, np.uint8)[:] = 0
    for number in range(3):
        view = _component(frame, number)
        step_y, step_x = -(-height // view.shape[0]), -(-width // view.shape[1])
        view[:] = samples[::step_y, ::step_x, number].astype(np.uint16) << _shift(frame.format)
    return frame


def samples_of(frame: av.VideoFrame) -> Samples:
    """Read a frame back, with each chroma sample repeated over its pixels."""
    found = np.empty((frame.height, frame.width, 3))
    for number in range(3):
        view = _component(frame, number)
        step_y, step_x = -(-frame.height // view.shape[0]), -(-frame.width // view.shape[1])
        whole = view.repeat(step_y, axis=0).repeat(step_x, axis=1) >> _shift(frame.format)
        found[..., number] = whole[: frame.height, : frame.width]
    return found


def sited(frame: av.VideoFrame, location: str) -> av.VideoFrame:
    """Let a frame say where its chroma lies."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    setter = graph.add("setparams", f"chroma_location={location}")
    graph.link_nodes(source, setter, graph.add("buffersink"))
    graph.configure()
    graph.vpush(frame)
    return graph.vpull()


def memory(plane: Any, dtype: Any) -> NDArray[Any]:
    """View a plane as rows, the padding included."""
    return np.frombuffer(memoryview(plane), dtype).reshape(plane.height, -1)


def _component(frame: av.VideoFrame, number: int) -> NDArray[Any]:
    """View one of Y, Cb, Cr or R, G, B in the frame's memory."""
    name, planes = frame.format.name, frame.planes
    is_deep = frame.format.components[0].bits > 8
    dtype = np.dtype((">u2" if name.endswith("be") else "<u2") if is_deep else np.uint8)
    if name.startswith("gb"):
        return memory(planes[(2, 0, 1)[number]], dtype)[:, : frame.width]
    if len(planes) >= 3:
        return memory(planes[number], dtype)[:, : planes[number].width]
    if len(planes) == 2 and number == 0:
        return memory(planes[0], dtype)[:, : frame.width]
    if len(planes) == 2:
        return memory(planes[1], dtype)[:, number - 1 : 2 * planes[1].width : 2]
    rows = memory(planes[0], dtype)
    if len(frame.format.components) < 3:
        return rows[:, : frame.width]
    order, step = {
        "rgb24": ((0, 1, 2), 3),
        "bgr24": ((2, 1, 0), 3),
        "bgr0": ((2, 1, 0), 4),
        "rgb0": ((0, 1, 2), 4),
        "rgba": ((0, 1, 2), 4),
        "bgra": ((2, 1, 0), 4),
        "rgb48le": ((0, 1, 2), 3),
        "rgb48be": ((0, 1, 2), 3),
        "rgba64le": ((0, 1, 2), 4),
        "yuyv422": ((0, 1, 3), 0),
    }[name]
    return rows[:, order[number] : step * frame.width : step]


def _shift(pixel_format: av.VideoFormat) -> int:
    """Samples of p010le and its like lie at the top of their 16 bits."""
    return 16 - pixel_format.components[0].bits if pixel_format.name.startswith("p0") else 0
