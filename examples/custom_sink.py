"""Write your own sink: here a folder of stills, every n-th picture before and after, as PNG.

    python examples/custom_sink.py                        # the demo clip, to the folder stills
    python examples/custom_sink.py dark.mp4 pictures --every 48

A sink is any class with `write`, `finish` and `abort` (`streamlight.pipeline.Sink`).
"""

import argparse
import shutil
from pathlib import Path

import av

from streamlight import Enhancer, FileSource, Frame, Look, Pipeline, SinkError
from streamlight.frame import Image


class StillsSink:
    """Writes every n-th picture as a PNG; the folder gets its name when it is complete."""

    def __init__(self, folder: Path, every: int) -> None:
        """Create the folder under a hidden name, which `finish` or `abort` takes away."""
        self._folder, self._every = folder, every
        self._partial = folder.with_name(f".{folder.name}.partial")
        if folder.exists():
            raise SinkError(f"{folder}: exists already; choose another name")
        self._partial.mkdir()

    def write(self, frame: Frame) -> None:
        """Take the next frame: called in order, in the thread `streamlight-encode`."""
        if frame.index % self._every == 0:
            path = self._partial / f"{frame.index:06}.png"
            try:
                path.write_bytes(encode_png(frame.image))
            except OSError as error:  # any error ends the run; a SinkError says it for people
                raise SinkError(f"{path}: cannot be written ({error.strerror})") from error

    def finish(self) -> None:
        """Make the result visible: called once, in the same thread, after the last frame."""
        self._partial.rename(self._folder)

    def abort(self) -> None:
        """Throw away what is not finished; after `finish`, or a second time, do nothing."""
        shutil.rmtree(self._partial, ignore_errors=True)


def encode_png(picture: Image) -> bytes:
    """Encode a picture, RGB (H, W, 3) of uint8."""
    encoder = av.VideoCodecContext.create("png", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt = "rgb24"
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def main() -> None:
    """Read the command line, and run a pipeline into the sink."""
    parser = argparse.ArgumentParser(description="Write stills of a video, before and after.")
    parser.add_argument(
        "video", nargs="?", type=Path, default=Path(__file__).with_name("night.mp4")
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("stills"))
    parser.add_argument("--every", type=int, default=24, help="frames (default: %(default)s)")
    arguments = parser.parse_args()
    with (
        FileSource(arguments.video, strict=True, copy_streams=False) as source,
        Enhancer.open(look=Look(compare="side"), parallel=None) as enhancer,
    ):
        sink = StillsSink(arguments.folder, arguments.every)
        try:
            report = Pipeline(source, enhancer, sink).run()
        finally:
            sink.abort()  # the owner's duty: the pipeline never calls it
    stills = sorted(arguments.folder.iterdir())
    print(f"{arguments.folder}: {len(stills)} stills of {report.frames_out} frames")


if __name__ == "__main__":
    main()
