"""What is known of a file: plain data, with the units in the names, ready for JSON.

`streamlight.sources.probe` fills it in; the keys of `FileFacts.to_dict` are what
`streamlight info --json` prints, and they are documented in docs/verify.md.
"""

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Literal

SCHEMA = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""

Origin = Literal["stated", "guessed", "unknown"]
"""Whether a file states a value, players guess it, or neither."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One of the four colour tags.

    Attributes:
        value: code point of ITU-T H.273.
        name: what libav calls it.
        origin: "stated" in the file, "guessed" as players do, or "unknown".
    """

    value: int
    name: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class HdrFacts:
    """What makes a picture one of high dynamic range.

    Attributes:
        transfer: "PQ" or "HLG" (BT.2100); None where only Dolby Vision metadata say it is HDR.
        dolby_vision_profile: such as "8.4"; None without Dolby Vision.
        has_hdr10_plus: whether the first picture carries dynamic metadata of SMPTE ST 2094-40.
        mastering_min_nits: luminance of the mastering display (SMPTE ST 2086), in cd/m2.
        mastering_max_nits: likewise.
        max_cll_nits: brightest pixel of the film (CTA-861.3 MaxCLL), in cd/m2.
        max_fall_nits: brightest frame average (CTA-861.3 MaxFALL), in cd/m2.
    """

    transfer: Literal["PQ", "HLG"] | None
    dolby_vision_profile: str | None = None
    has_hdr10_plus: bool = False
    mastering_min_nits: float | None = None
    mastering_max_nits: float | None = None
    max_cll_nits: int | None = None
    max_fall_nits: int | None = None


@dataclass(frozen=True, slots=True)
class TimingFacts:
    """When the frames are shown, from the timestamps of the packets.

    Attributes:
        frames_read: how many packets of the video were looked at.
        is_complete: whether those were all.
        is_variable: whether the time from frame to frame changes by more than rounding and 2 %;
            None where it is not known, because timestamps are missing or there are too few.
        shortest_ms: least time from one frame to the next.
        longest_ms: greatest time from one frame to the next.
        median_ms: median of it.
        mean_ms: mean of it.
        missing: packets without a timestamp.
    """

    frames_read: int
    is_complete: bool
    is_variable: bool | None
    shortest_ms: float | None = None
    longest_ms: float | None = None
    median_ms: float | None = None
    mean_ms: float | None = None
    missing: int = 0


@dataclass(frozen=True, slots=True)
class BrightnessFacts:
    """How bright the picture is.

    Attributes:
        mean_luma: mean of BT.709 luma of the gamma-coded R'G'B', 0 to 255, over the samples.
        lowest: of the darkest sample.
        highest: of the brightest sample.
        samples: how many frames, spread evenly over the file, were looked at.
        word: "dark", "dim" or "bright".
        is_worth_enhancing: whether at least one sample is dark or dim, and not wholly black.
    """

    mean_luma: float
    lowest: float
    highest: float
    samples: int
    word: Literal["dark", "dim", "bright"]
    is_worth_enhancing: bool


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The video that would be enhanced.

    Attributes:
        stream: its index in the file.
        width: of the coded picture.
        height: of the coded picture.
        sample_aspect_ratio: width of a pixel by its height.
        display_width: as a player shows it: turned, and with square pixels.
        display_height: likewise.
        rotation_degrees: counter-clockwise, that a player turns the picture by.
        is_mirrored: whether a player mirrors it too.
        average_rate: frames per second over the whole file.
        nominal_rate: the rate the stream is declared or guessed to have.
        frame_count: how many frames the file states.
        frames_counted: how many pictures could be decoded; only where all were.
        frames_hidden: pictures of the file that its edit list leaves out.
        pixel_format: libav's name.
        bits: of a colour channel.
        chroma: sampling, such as "4:2:0"; "RGB", "grey".
        chroma_location: of 4:2:0 and 4:2:2, libav's name; "unspecified" where nothing says.
        has_alpha: whether the pixels have an alpha channel.
        field_order: "progressive", "top first", "bottom first", "unknown".
        is_interlaced: whether a sampled frame is interlaced, or the stream says it is.
        matrix: colour matrix.
        range: of the samples.
        primaries: of the colours.
        transfer: curve of the colours.
        hdr: what makes it HDR; None for SDR.
        timing: of its frames.
        start_s: when its first frame is shown.
        audio_offset_s: start of the first sound minus start of the picture.
    """

    stream: int
    width: int
    height: int
    sample_aspect_ratio: Fraction
    display_width: int
    display_height: int
    rotation_degrees: int
    is_mirrored: bool
    average_rate: Fraction | None
    nominal_rate: Fraction | None
    frame_count: int | None
    frames_counted: int | None
    frames_hidden: int
    pixel_format: str
    bits: int
    chroma: str
    chroma_location: str
    has_alpha: bool
    field_order: str
    is_interlaced: bool
    matrix: Tag
    range: Tag
    primaries: Tag
    transfer: Tag
    hdr: HdrFacts | None
    timing: TimingFacts
    start_s: float | None
    audio_offset_s: float | None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One stream of a file.

    Attributes:
        index: in the file.
        type: "video", "audio", "subtitle", "data" or "attachment".
        codec: libav's name; None where libav knows none.
        profile: of the codec.
        language: ISO 639, as the file has it.
        title: of the stream.
        dispositions: "default", "forced", "attached_pic" and so on.
        bit_rate: bits per second, where it is stated.
        start_s: of its first packet.
        duration_s: where it is stated.
        detail: "48000 Hz, stereo" of sound, "640x480" of video, the file name of an attachment.
    """

    index: int
    type: str
    codec: str | None
    profile: str | None
    language: str | None
    title: str | None
    dispositions: tuple[str, ...]
    bit_rate: int | None
    start_s: float | None
    duration_s: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class ChapterFacts:
    """One chapter: its title and when it is, in seconds."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """A still picture.

    Attributes:
        format: "JPEG", "PNG", "WEBP", "TIFF".
        width: as it is stored.
        height: as it is stored.
        display_width: as EXIF's orientation turns it.
        display_height: likewise.
        orientation: of EXIF, 1 to 8; 1 where it is not stated.
        mode: Pillow's name of the pixels.
        bits: of a channel.
        has_alpha: whether there is an alpha channel.
        icc_profile: name of the colour profile; None where there is none.
        taken_at: date of EXIF, as it is written there.
        camera: of EXIF, make and model.
        pages: pictures in the file.
    """

    format: str
    width: int
    height: int
    display_width: int
    display_height: int
    orientation: int
    mode: str
    bits: int
    has_alpha: bool
    icc_profile: str | None
    taken_at: str | None
    camera: str | None
    pages: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All of a file.

    Attributes:
        path: as it was given.
        kind: "video" or "picture": what it was read as.
        size_bytes: of the file.
        container: libav's short name of the format, or Pillow's.
        container_name: its long name.
        duration_s: of the whole file.
        start_s: of the first stream.
        bit_rate: bits per second of the whole file.
        metadata: of the container.
        streams: all of them.
        chapters: of the container.
        video: the stream that would be enhanced; None where there is none that can be.
        picture: of a still picture.
        brightness: None where nothing could be decoded.
        problems: what stands in the way of enhancing it, or is damaged; one sentence each.
    """

    path: str
    kind: Literal["video", "picture"]
    size_bytes: int
    container: str
    container_name: str
    duration_s: float | None = None
    start_s: float | None = None
    bit_rate: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    streams: tuple[StreamFacts, ...] = ()
    chapters: tuple[ChapterFacts, ...] = ()
    video: VideoFacts | None = None
    picture: PictureFacts | None = None
    brightness: BrightnessFacts | None = None
    problems: tuple[str, ...] = ()

    @property
    def can_be_enhanced(self) -> bool:
        """Whether there is a picture to enhance, and one of it could be decoded."""
        return self.brightness is not None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data for JSON; rates as "30000/1001"."""
        plain: dict[str, Any] = _plain(asdict(self))
        return {"schema": SCHEMA, "can_be_enhanced": self.can_be_enhanced, **plain}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value
