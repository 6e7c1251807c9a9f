"""Small video clips, made when a test wants one: every property of them is an argument.

Frame i is grey `grey(i)`, 40 * i modulo 256, plus a corner of its own: 32 different levels, 8
apart, which `number_of` reads back after lossy coding. RGB becomes YCbCr here in float64, from
the definition in ITU-T H.273 and not by swscale, so that the clips can judge swscale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamlight.color import ColorSpec, Matrix, Range

Picture = NDArray[np.uint8]
"""RGB (H, W, 3)."""

LUMA_WEIGHTS: dict[int, tuple[float, float]] = {
    Matrix.BT709: (0.2126, 0.0722),
    Matrix.FCC: (0.30, 0.11),
    Matrix.BT470BG: (0.299, 0.114),
    Matrix.SMPTE170M: (0.299, 0.114),
    Matrix.SMPTE240M: (0.212, 0.087),
    Matrix.BT2020_NCL: (0.2627, 0.0593),
}
"""K_R and K_B of each matrix (H.273, table 4)."""


def grey(index: int) -> int:
    return 40 * index % 256


def number_of(image: NDArray[Any]) -> int:
    """Read back which frame of a clip this is, modulo 32: 5 * 13 = 1 modulo 32."""
    return round(float(image.mean()) / 8) * 13 % 32


def grey_picture(index: int, width: int, height: int) -> Picture:
    return np.full((height, width, 3), grey(index), np.uint8)


def bars(index: int, width: int, height: int) -> Picture:
    """Blocks of 16x16 pixels in 125 colours, which cover the cube; each frame starts elsewhere."""
    levels = np.linspace(0, 255, 5).round().astype(np.uint8)
    rows, columns = np.arange(height) // 16, np.arange(width) // 16
    number = (rows[:, None] * -(-width // 16) + columns + 31 * index) % 125
    color = [levels[number // 25], levels[number // 5 % 5], levels[number % 5]]
    return np.stack(color, axis=-1)


def dim(index: int, width: int, height: int) -> Picture:
    """A dark picture that moves: smooth, so that a lossy codec keeps it well."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [np.sin((x * (c + 2) + y * (3 - c)) / 23 + index / 3 + c) for c in range(3)]
    return np.asarray(np.rint(30 + 22 * np.stack(waves, axis=-1)), np.uint8)


def rgb_to_yuv(rgb: Picture, matrix: int, is_full: bool) -> NDArray[np.float64]:
    """Compute 8-bit Y, Cb, Cr (H, W, 3), not rounded (H.273, equations 38 to 43)."""
    k_r, k_b = LUMA_WEIGHTS[matrix]
    r, g, b = np.moveaxis(rgb / 255.0, -1, 0)
    y = k_r * r + (1 - k_r - k_b) * g + k_b * b
    c_b, c_r = (b - y) / (2 * (1 - k_b)), (r - y) / (2 * (1 - k_r))
    if is_full:
        return np.stack([255 * y, 255 * c_b + 128, 255 * c_r + 128], axis=-1)
    return np.stack([219 * y + 16, 224 * c_b + 128, 224 * c_r + 128], axis=-1)


def yuv_to_rgb(yuv: NDArray[Any], matrix: int, is_full: bool) -> NDArray[np.float64]:
    """Compute RGB (H, W, 3) of 8-bit Y, Cb, Cr (H, W, 3), clipped to [0, 255], not rounded."""
    k_r, k_b = LUMA_WEIGHTS[matrix]
    y, c_b, c_r = np.moveaxis(np.asarray(yuv, np.float64), -1, 0)
    if is_full:
        y, c_b, c_r = y / 255, (c_b - 128) / 255, (c_r - 128) / 255
    else:
        y, c_b, c_r = (y - 16) / 219, (c_b - 128) / 224, (c_r - 128) / 224
    r, b = y + 2 * (1 - k_r) * c_r, y + 2 * (1 - k_b) * c_b
    g = (y - k_r * r - k_b * b) / (1 - k_r - k_b)
    return np.asarray(255 * np.stack([r, g, b], axis=-1)).clip(0, 255)


def rounded(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Round to 8 bits and clip: full-range chroma reaches 255.5."""
    return np.rint(samples).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Sound:
    """A tone beside the picture."""

    codec: str = "aac"
    start_s: float = 0.0
    duration_s: float = 1.0
    rate_hz: int = 44_100
    layout: str = "mono"
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subtitle:
    """One line of text, copied from an .srt file."""

    text: str = "a line"
    start_s: float = 0.1
    end_s: float = 0.3
    metadata: Mapping[str, str] = field(default_factory=dict)


def make_clip(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    color: ColorSpec | None = None,
    picture: Callable[[int, int, int], Picture] = grey_picture,
    rotation: int = 0,
    sample_aspect_ratio: Fraction | None = None,
    sound: Sequence[Sound] = (),
    sound_first: bool = False,
    subtitles: Sequence[Subtitle] = (),
    metadata: Mapping[str, str] | None = None,
    video_metadata: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    muxer: str | None = None,
    muxer_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a clip and return its path; by default x264's B-frames, 10 frames, 25 a second.

    Args:
        path: to write; the extension chooses the container, unless `muxer` does.
        codec: encoder of the picture.
        pixel_format: planar 8-bit YCbCr, nv12, gray, or RGB.
        size: width and height.
        frames: number of frames, when `pts` does not say.
        rate: nominal frames per second.
        pts: presentation times in units of `time_base`; None for one frame every 1 / rate.
        time_base: seconds per unit; None for 1 / rate.
        color: tags; where matrix and range are not tagged, the pixels are as players guess.
        picture: makes frame `index` of (width, height).
        rotation: degrees counter-clockwise that a player turns the picture by.
        sample_aspect_ratio: width of a pixel by its height.
        sound: streams of a tone.
        sound_first: whether the sound comes before the picture in the order of the streams.
        subtitles: streams of one line each.
        metadata: of the container.
        video_metadata: of the video stream.
        options: of the encoder.
        muxer: of libavformat, when the extension does not choose it.
        muxer_options: of the muxer.
    """
    width, height = size
    spec = color or ColorSpec()
    times = range(frames) if pts is None else pts
    container = av.open(str(path), "w", format=muxer, options=dict(muxer_options or {}))
    with container:
        container.metadata.update(metadata or {})
        tones = [_add_sound(container, s) for s in sound] if sound_first else []
        video = container.add_stream(codec, Fraction(rate), options=dict(options or {}))
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        video.time_base = video.codec_context.time_base = time_base or 1 / Fraction(rate)
        video.codec_context.thread_count = 1
        _tag(video, spec)
        if sample_aspect_ratio is not None:
            video.codec_context.sample_aspect_ratio = sample_aspect_ratio
        if rotation:
            video.set_display_rotation(rotation)
        video.metadata.update(video_metadata or {})
        if not sound_first:
            tones = [_add_sound(container, s) for s in sound]
        texts = [_add_subtitle(container, s, path) for s in subtitles]
        for index, time in enumerate(times):
            frame = to_frame(picture(index, width, height), pixel_format, spec)
            frame.pts, frame.time_base = time, time_base or 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for stream, tone in zip(tones, sound, strict=True):
            _write_sound(container, stream, tone)
        for text in texts:
            container.mux(text)
    return path


def to_frame(rgb: Picture, pixel_format: str, color: ColorSpec) -> av.VideoFrame:
    """Make a frame of any of the formats, by the float formula; chroma is averaged over its area.

    Chroma is centred between the pixels that share it, as in MPEG-1; where it matters, test
    inside blocks of one colour.
    """
    height, width = rgb.shape[:2]
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, samples in zip(frame.planes, _planes(rgb, frame.format, color), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[: samples.shape[0], : samples.shape[1]] = samples
        plane.update(rows.tobytes())
    return frame


def _planes(rgb: Picture, layout: av.VideoFormat, color: ColorSpec) -> Iterator[Picture]:
    height, width = rgb.shape[:2]
    if layout.name == "gbrp":
        yield from (rgb[..., 1], rgb[..., 2], rgb[..., 0])
        return
    if layout.is_rgb:
        order = {"rgb24": (0, 1, 2), "bgr24": (2, 1, 0), "bgr0": (2, 1, 0, 0)}[layout.name]
        yield rgb[..., order].reshape(height, -1)
        return
    spec = color.resolved(width, height)
    is_full = spec.range == Range.FULL or layout.name.startswith("yuvj")
    yuv = rgb_to_yuv(rgb, spec.matrix, is_full)
    yield rounded(yuv[..., 0])
    if len(layout.components) == 1:
        return
    step_y = round(height / layout.components[1].height) if height > 1 else 1
    step_x = round(width / layout.components[1].width) if width > 1 else 1
    chroma = [rounded(_shrink(yuv[..., c], step_y, step_x)) for c in (1, 2)]
    if layout.name.startswith("yuva"):
        chroma.append(np.full_like(rgb[..., 0], 128))
    if layout.name == "nv12":
        yield np.stack(chroma, axis=-1).reshape(chroma[0].shape[0], -1)
    else:
        yield from chroma


def _shrink(plane: NDArray[np.float64], step_y: int, step_x: int) -> NDArray[np.float64]:
    bottom, right = -plane.shape[0] % step_y, -plane.shape[1] % step_x
    padded = np.pad(plane, ((0, bottom), (0, right)), mode="edge")
    rows, columns = padded.shape[0] // step_y, padded.shape[1] // step_x
    return np.asarray(padded.reshape(rows, step_y, columns, step_x).mean(axis=(1, 3)))


def _tag(video: VideoStream, color: ColorSpec) -> None:
    context = video.codec_context
    if color.matrix != Matrix.UNSPECIFIED:
        context.colorspace = color.matrix
    if color.range != Range.UNSPECIFIED:
        context.color_range = color.range
    context.color_primaries, context.color_trc = color.primaries, color.transfer


def _add_sound(container: OutputContainer, sound: Sound) -> AudioStream:
    stream = container.add_stream(sound.codec, sound.rate_hz)
    assert isinstance(stream, AudioStream)
    stream.codec_context.layout = sound.layout
    stream.metadata.update(sound.metadata)
    return stream


def _write_sound(container: OutputContainer, stream: AudioStream, sound: Sound) -> None:
    samples = np.arange(int(sound.duration_s * sound.rate_hz))
    tone = np.rint(8000 * np.sin(2 * np.pi * 440 * samples / sound.rate_hz)).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
    frame.sample_rate = sound.rate_hz
    resampler = av.AudioResampler(
        stream.codec_context.format,
        sound.layout,
        sound.rate_hz,
        stream.codec_context.frame_size or 1024,
    )
    start = round(sound.start_s * sound.rate_hz)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        piece.pts, piece.time_base = start, Fraction(1, sound.rate_hz)
        start += piece.samples
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def _add_subtitle(
    container: OutputContainer, subtitle: Subtitle, path: Path
) -> list[av.Packet[Any]]:
    """Add the stream, and return its packets, to be written when all streams are there."""

    def stamp(time_s: float) -> str:
        whole, thousandths = divmod(round(time_s * 1000), 1000)
        return f"00:{whole // 60:02}:{whole % 60:02},{thousandths:03}"

    srt = path.with_suffix(".made.srt")
    span = f"{stamp(subtitle.start_s)} --> {stamp(subtitle.end_s)}"
    srt.write_text(f"1\n{span}\n{subtitle.text}\n")
    with av.open(str(srt)) as text:
        template = text.streams.subtitles[0]
        stream = container.add_stream_from_template(template)
        stream.metadata.update(subtitle.metadata)
        packets = [packet for packet in text.demux(template) if packet.size]
    srt.unlink()
    for packet in packets:
        packet.stream = stream
    return packets
