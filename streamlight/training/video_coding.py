"""Artefacts of H.264: pictures through libx264 and back, in memory."""

from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray


def h264(picture: NDArray[np.uint8], crf: float) -> NDArray[np.uint8]:
    """Code a picture twice, as one scene that stands still, and decode the second frame.

    The second is what most frames of a video are: predicted from the one before, with what is
    left over quantised.

    Args:
        picture: RGB (H, W, 3); both sides even.
        crf: of libx264, 0 to 51.
    """
    height, width = picture.shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.options = {"preset": "superfast", "crf": f"{crf:.2f}", "tune": "zerolatency"}
    encoder.thread_count = 1
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
    packets = []
    for pts in range(2):
        frame.pts = pts
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    return np.asarray(frames[-1].to_ndarray(format="rgb24"), np.uint8)
