"""Make `night.mp4`: five seconds of dark, noisy video with sound, from free photographs.

    pip install av numpy pillow scikit-image
    python examples/make_demo_clip.py [OUTPUT]

Slow pans over three photographs, under-exposed by 3 to 4 stops as a small sensor at night would
record them, with a hard cut between scenes. The script is seeded: the same package versions give
the same frames. The photographs lie inside the scikit-image wheel, so nothing is downloaded;
their terms, as the docstrings of `skimage.data` state them:

- `coffee`: Rachel Michetti, courtesy of Pikolo Espresso Bar. CC0.
- `chelsea`: Stefan van der Walt. CC0.
- `rocket`: SpaceX, the DSCOVR launch on Falcon 9. Released into the public domain.

The sound is synthesised: wind and two crickets.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from PIL import Image
from skimage import data

Floats = npt.NDArray[np.float64]

WIDTH, HEIGHT, FPS = 640, 360, 24
SAMPLE_RATE_HZ = 48_000
SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS
SEED = 1

SHOT_NOISE = 1.25e-4
"""Variance of the shot noise per unit of linear signal, where 1 is full scale."""
READ_NOISE = 1e-3
"""Standard deviation of the read noise, in linear light."""


@dataclass(frozen=True)
class View:
    """A 16:9 window on a photograph: its centre and width, in pixels of the photograph."""

    x: float
    y: float
    width: float

    def box(self) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge, as Pillow takes them."""
        across, down = self.width / 2, self.width * HEIGHT / WIDTH / 2
        return (self.x - across, self.y - down, self.x + across, self.y + down)


@dataclass(frozen=True)
class Scene:
    """One pan, at constant speed, over one photograph of `skimage.data`."""

    photograph: str
    exposure_ev: float
    start: View
    end: View
    frames: int = 40


SCENES = (
    Scene("coffee", -3.5, View(312, 206, 560), View(278, 192, 460)),
    Scene("chelsea", -4.0, View(221, 125, 440), View(230, 172, 420)),
    Scene("rocket", -3.0, View(312, 190, 580), View(330, 276, 520)),
)


def srgb_to_linear(encoded: Floats) -> Floats:
    """Undo the sRGB curve (IEC 61966-2-1); values in [0, 1]."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Floats) -> Floats:
    """Apply the sRGB curve (IEC 61966-2-1); values in [0, 1]."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def pan(scene: Scene) -> Iterator[Floats]:
    """Yield the frames of a scene in linear light, (HEIGHT, WIDTH, 3), at full exposure.

    The resampling window has fractional edges, so the motion is smooth below one pixel.
    """
    photograph = srgb_to_linear(getattr(data, scene.photograph)() / 255.0)
    channels = [Image.fromarray(photograph[..., c].astype(np.float32)) for c in range(3)]
    start, end = scene.start, scene.end
    for t in np.linspace(0.0, 1.0, scene.frames):
        view = View(
            start.x + t * (end.x - start.x),
            start.y + t * (end.y - start.y),
            start.width + t * (end.width - start.width),
        )
        resampled = [
            np.asarray(channel.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, view.box()))
            for channel in channels
        ]
        # Bicubic overshoots at edges; light is never negative.
        yield np.stack(resampled, axis=-1).astype(np.float64).clip(0.0, 1.0)


def expose(scene_light: Floats, exposure_ev: float, rng: np.random.Generator) -> Floats:
    """Record linear light as an under-exposed sensor does: less signal, shot and read noise."""
    signal = scene_light * 2.0**exposure_ev
    deviation = np.sqrt(SHOT_NOISE * signal + READ_NOISE**2)
    recorded: Floats = signal + deviation * rng.standard_normal(signal.shape)
    return recorded.clip(0.0, 1.0)


def night_frames(rng: np.random.Generator) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield every frame of the clip as 8-bit sRGB, (HEIGHT, WIDTH, 3)."""
    for scene in SCENES:
        for light in pan(scene):
            recorded = expose(light, scene.exposure_ev, rng)
            yield np.rint(linear_to_srgb(recorded) * 255.0).astype(np.uint8)


def wind(samples: int, rng: np.random.Generator) -> Floats:
    """Noise of unit deviation that falls off above 200 Hz, (samples,)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency_hz = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    gain = (frequency_hz > 40.0) / (1.0 + (frequency_hz / 200.0) ** 2)
    noise: Floats = np.fft.irfft(spectrum * gain, samples)
    noise /= noise.std()
    return noise


def cricket(samples: int, tone_hz: float, period_s: float, delay_s: float) -> Floats:
    """One cricket, (samples,): a chirp of four 16 ms pulses, 32 ms apart, every `period_s`."""
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    in_chirp_s = (time_s - delay_s) % period_s
    in_pulse_s = in_chirp_s % 0.032
    sounding = (time_s >= delay_s) & (in_chirp_s < 4 * 0.032) & (in_pulse_s < 0.016)
    pulse = np.sin(np.pi * in_pulse_s / 0.016) ** 2
    return np.where(sounding, pulse * np.sin(2 * np.pi * tone_hz * time_s), 0.0)


def night_sound(samples: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Wind and a cricket on either side, faded in and out, (2, samples) in [-1, 1]."""
    near = cricket(samples, tone_hz=4300.0, period_s=0.71, delay_s=0.35)
    far = cricket(samples, tone_hz=4750.0, period_s=0.93, delay_s=0.80)
    left = 0.030 * wind(samples, rng) + 0.080 * near + 0.010 * far
    right = 0.030 * wind(samples, rng) + 0.025 * near + 0.035 * far
    to_edge_s = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / SAMPLE_RATE_HZ
    fade = np.minimum(to_edge_s / 0.25, 1.0)
    return (np.stack([left, right]) * fade).astype(np.float32)


def video_frame(rgb: npt.NDArray[np.uint8], index: int) -> av.VideoFrame:
    """Convert 8-bit sRGB to yuv420p with the BT.709 matrix and limited range."""
    # Without ACCURATE_RND the mean chroma drifts, slightly but over the whole picture.
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
    )
    frame.pts, frame.time_base = index, Fraction(1, FPS)
    return frame


def audio_frame(sound: npt.NDArray[np.float32], index: int) -> av.AudioFrame:
    """Cut out the sound that plays during video frame `index`."""
    first = index * SAMPLES_PER_FRAME
    piece = np.ascontiguousarray(sound[:, first : first + SAMPLES_PER_FRAME])
    frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="stereo")
    frame.sample_rate = SAMPLE_RATE_HZ
    frame.pts, frame.time_base = first, Fraction(1, SAMPLE_RATE_HZ)
    return frame


def write_clip(path: Path) -> None:
    """Encode pictures and sound into an MP4 that can play while it downloads."""
    rng = np.random.default_rng(SEED)
    sound = night_sound(sum(scene.frames for scene in SCENES) * SAMPLES_PER_FRAME, rng)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        # "grain" keeps the noise, which x264 otherwise smooths away in dark parts.
        video = container.add_stream(
            "libx264", rate=FPS, options={"preset": "veryslow", "tune": "grain", "crf": "20"}
        )
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        encoder = video.codec_context
        encoder.thread_type = "FRAME"
        # x264 decides differently with another number of threads: one number, one result.
        encoder.thread_count = 2
        encoder.colorspace = Colorspace.ITU709
        encoder.color_range = ColorRange.MPEG
        encoder.color_primaries = ColorPrimaries.BT709
        # Matrix and primaries are those of BT.709; the curve of the pixels is that of sRGB.
        encoder.color_trc = ColorTrc.IEC61966_2_1
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        audio.bit_rate = 64_000
        for index, rgb in enumerate(night_frames(rng)):
            container.mux(video.encode(video_frame(rgb, index)))
            container.mux(audio.encode(audio_frame(sound, index)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def main() -> None:
    """Read the command line and write the clip."""
    parser = argparse.ArgumentParser(description="Make a short dark video with sound.")
    parser.add_argument(
        "output",
        nargs="?",
        type=Path,
        default=Path(__file__).with_name("night.mp4"),
        help="where to write the clip (default: %(default)s)",
    )
    output: Path = parser.parse_args().output
    write_clip(output)
    print(f"{output}: {output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
