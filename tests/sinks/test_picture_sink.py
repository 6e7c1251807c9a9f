"""Written pictures, as Pillow, tifffile, exiftool and ffmpeg read them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ffprobe import needs_ffmpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from stills import (
    MAKER_NOTE,
    SIZE,
    deep_noise,
    exiftool,
    needs_exiftool,
    photo_exif,
    profile,
    quarters,
    stored,
)

from streamlight.errors import SinkError, UsageError
from streamlight.frame import Frame
from streamlight.sinks.picture_encoding import Encoding, save_picture, to_8_bits
from streamlight.sinks.pictures import PictureSink, check_picture_target
from streamlight.sources.pictures import PictureCoding, PictureSource, read_picture

FORMATS = ("jpg", "png", "webp", "tif", "avif")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
    b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="6" dc:source="caf\xc3\xa9"/></rdf:RDF></x:xmpmeta>'
)


def copied(source: Path, target: Path, **options: Any) -> list[str]:
    """Read and write without a network between; return the sink's notes."""
    with PictureSource(source) as frames, PictureSink(target, frames.picture, **options) as sink:
        for frame in frames:
            sink.write(frame)
        sink.finish()
        return sink.notes


def pixels_of(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.array(image)


def photograph(path: Path) -> Path:
    """Write a picture as a phone held upright does: it lies, and says so; with all there is."""
    lying = stored(quarters(), 6)
    exif = photo_exif(6, (lying.shape[1], lying.shape[0]))
    options: dict[str, Any] = {"exif": exif, "icc_profile": profile(), "dpi": (300, 300)}
    if path.suffix == ".tif":
        exif[700] = XMP
    elif path.suffix == ".png":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
    else:
        options["xmp"] = XMP
    options |= {"lossless": True} if path.suffix == ".webp" else {"quality": 95}
    Image.fromarray(lying).save(path, **options)
    return path


@needs_exiftool
@pytest.mark.parametrize("to", FORMATS)
@pytest.mark.parametrize("of", FORMATS)
def test_what_was_beside_the_pixels_is_there_in_every_format(
    tmp_path: Path, of: str, to: str
) -> None:
    source, target = photograph(tmp_path / f"night.{of}"), tmp_path / f"bright.{to}"
    assert copied(source, target) == []
    found = exiftool(target)
    assert found.get("IFD0:Orientation", 1) == 1
    assert found.get("QuickTime:Rotation", 0) == 0
    assert found["IFD0:Make"] == "Maker"
    assert found["ExifIFD:DateTimeOriginal"] == "2024:01:02 03:04:05"
    assert found["GPS:GPSLatitude"] == pytest.approx(48 + 8 / 60)
    assert found["GPS:GPSLongitudeRef"] == "E"
    assert (found["ExifIFD:ExifImageWidth"], found["ExifIFD:ExifImageHeight"]) == SIZE
    assert found["XMP-dc:Source"] == "café"
    assert found["XMP-tiff:Orientation"] == 1
    assert found["ICC-header:ColorSpaceData"] == "RGB "
    assert "IFD1:ThumbnailOffset" not in found
    with Image.open(target) as image:
        assert image.size == SIZE
        assert image.info["icc_profile"] == profile()
        assert np.abs(np.array(image).astype(int) - quarters())[2:6, 2:6].max() < 12
    assert MAKER_NOTE in target.read_bytes()
    if "webp" not in (of, to) and "avif" not in (of, to):
        assert read_picture(target).tags.dpi == pytest.approx((300, 300), abs=0.02)


@needs_exiftool
@pytest.mark.parametrize("to", ["jpg", "tif"])
@pytest.mark.parametrize("of", ["jpg", "tif"])
def test_captions_of_iptc_are_kept_without_their_thumbnail(
    tmp_path: Path, of: str, to: str
) -> None:
    source, target = tmp_path / f"night.{of}", tmp_path / f"bright.{to}"
    Image.fromarray(quarters()).save(source)
    tags = ["-IPTC:Caption-Abstract=the square by night", "-IPTC:Keywords=night"]
    dark = tmp_path / "thumbnail.jpg"
    Image.fromarray(quarters()).save(dark)
    tags.append(f"-Photoshop:PhotoshopThumbnail<={dark}")
    command = ["exiftool", "-q", "-overwrite_original", *tags, str(source)]
    subprocess.run(command, check=True, capture_output=True)
    assert "Photoshop:PhotoshopThumbnail" in exiftool(source)
    assert copied(source, target) == []
    found = exiftool(target)
    assert found["IPTC:Caption-Abstract"] == "the square by night"
    assert found["IPTC:Keywords"] == "night"
    assert "Photoshop:PhotoshopThumbnail" not in found


def test_a_profile_is_carried_to_the_byte(tmp_path: Path) -> None:
    """Whatever is in it, Display P3 or a printer's own."""
    icc = bytearray(profile())
    icc += bytes(range(256)) * 300  # more than one segment of a JPEG holds
    icc[:4] = len(icc).to_bytes(4, "big")
    Image.fromarray(quarters()).save(tmp_path / "a.png", icc_profile=bytes(icc))
    for extension in FORMATS:
        copied(tmp_path / "a.png", tmp_path / f"b.{extension}")
        with Image.open(tmp_path / f"b.{extension}") as image:
            assert image.info["icc_profile"] == bytes(icc), extension


def decoded_by_ffmpeg(path: Path, channels: int, bits: int) -> NDArray[Any]:
    names = {(3, 8): "rgb24", (4, 8): "rgba", (3, 16): "rgb48le", (4, 16): "rgba64le"}
    names |= {(1, 8): "gray", (1, 16): "gray16le"}
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo"]
    command += ["-pix_fmt", names[channels, bits], "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, f"<u{bits // 8}").reshape(SIZE[1], SIZE[0], channels)


@needs_ffmpeg
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_lossless_formats_hold_every_bit(
    tmp_path: Path, extension: str, bits: int, channels: int
) -> None:
    pixels = deep_noise(channels)
    if bits == 8:
        pixels = (pixels >> 8).astype(np.uint8)
    source = tmp_path / "a.tif"
    tifffile = pytest.importorskip("tifffile")
    photometric = "minisblack" if channels == 1 else "rgb"
    extra = ["unassalpha"] if channels == 4 else None
    tifffile.imwrite(source, pixels.squeeze(), photometric=photometric, extrasamples=extra)
    assert copied(source, tmp_path / f"b.{extension}") == []
    assert np.array_equal(decoded_by_ffmpeg(tmp_path / f"b.{extension}", channels, bits), pixels)
    if extension == "tif":
        assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), pixels.squeeze())
        with tifffile.TiffFile(tmp_path / "b.tif") as file:
            assert file.pages[0].compression == 1, "as the input was"


def test_grey_stays_grey(tmp_path: Path) -> None:
    Image.fromarray(quarters()).convert("L").save(tmp_path / "a.png")
    for extension, mode in (("png", "L"), ("jpg", "L"), ("tif", "L"), ("webp", "RGB")):
        copied(tmp_path / "a.png", tmp_path / f"b.{extension}")
        with Image.open(tmp_path / f"b.{extension}") as image:
            assert image.mode == mode
    assert np.array_equal(pixels_of(tmp_path / "b.png"), pixels_of(tmp_path / "a.png"))


def test_a_tint_that_the_network_gives_to_grey_is_taken_away(tmp_path: Path) -> None:
    Image.fromarray(quarters()).convert("L").save(tmp_path / "a.png")
    with (
        PictureSource(tmp_path / "a.png") as source,
        PictureSink(tmp_path / "b.png", source.picture) as sink,
    ):
        tinted = np.full((SIZE[1], SIZE[0], 3), (100, 200, 50), np.uint8)
        sink.write(Frame(tinted, 0, source.info.time_base, 0))
        sink.finish()
    luma = 0.2126 * 100 + 0.7152 * 200 + 0.0722 * 50
    assert abs(float(pixels_of(tmp_path / "b.png").mean()) - luma) < 1


def translucent(path: Path) -> NDArray[np.uint8]:
    alpha = np.tile(np.linspace(0, 255, SIZE[0]).astype(np.uint8), (SIZE[1], 1))
    pixels = np.dstack((quarters(), alpha))
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("extension", ["png", "webp", "tif", "avif"])
def test_transparency_is_kept_where_it_can_be(tmp_path: Path, extension: str) -> None:
    pixels = translucent(tmp_path / "a.png")
    assert copied(tmp_path / "a.png", tmp_path / f"b.{extension}") == []
    written = pixels_of(tmp_path / f"b.{extension}")
    assert np.abs(written[..., 3].astype(int) - pixels[..., 3]).max() <= (
        8 if extension == "avif" else 0
    )
    if extension != "avif":
        assert np.array_equal(written, pixels), "colours below full transparency too"


def test_a_jpeg_of_a_transparent_picture_is_put_on_white(tmp_path: Path) -> None:
    translucent(tmp_path / "a.png")
    assert copied(tmp_path / "a.png", tmp_path / "b.jpg") == [
        "JPEG holds no transparency: the picture is put on white"
    ]
    written = pixels_of(tmp_path / "b.jpg")
    assert written[:, 0].min() > 235 and written[:, -1].max() < 90


def test_an_opaque_channel_of_alpha_is_no_loss(tmp_path: Path) -> None:
    Image.fromarray(quarters()).convert("RGBA").save(tmp_path / "a.png")
    assert copied(tmp_path / "a.png", tmp_path / "b.jpg") == []


@pytest.mark.parametrize("extension", ["jpg", "webp", "avif"])
def test_16_bits_become_8_where_they_must_and_that_is_said(tmp_path: Path, extension: str) -> None:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", quarters(np.uint16), photometric="rgb")
    (note,) = copied(tmp_path / "a.tif", tmp_path / f"b.{extension}")
    assert "has 16 bits a channel" in note and note.endswith("holds 8")
    written = pixels_of(tmp_path / f"b.{extension}").astype(int)
    assert np.abs(written - quarters())[2:6, 2:6].max() <= 6


def test_16_bits_are_rounded_to_the_nearest_of_8(tmp_path: Path) -> None:
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    assert np.array_equal(to_8_bits(values), np.rint(values / 257).astype(np.uint8))


def tables(path: Path) -> Any:
    with Image.open(path) as image:
        layers = [layer[1:3] for layer in image.layer]  # type: ignore[attr-defined]
        return image.quantization, layers, bool(image.info.get("progressive"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_coded_like_the_one_it_comes_from(
    tmp_path: Path, subsampling: int, progressive: bool
) -> None:
    Image.fromarray(quarters()).save(
        tmp_path / "a.jpg", quality=73, subsampling=subsampling, progressive=progressive
    )
    copied(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert tables(tmp_path / "b.jpg") == tables(tmp_path / "a.jpg")
    copied(tmp_path / "a.jpg", tmp_path / "c.jpg", quality=20)
    assert sum(tables(tmp_path / "c.jpg")[0][0]) > sum(tables(tmp_path / "a.jpg")[0][0])


def test_a_webp_is_lossless_when_the_input_was(tmp_path: Path) -> None:
    noise = (deep_noise(3) >> 8).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    Image.fromarray(noise).save(tmp_path / "a.jpg", quality=100)
    copied(tmp_path / "a.png", tmp_path / "b.webp")
    assert np.array_equal(pixels_of(tmp_path / "b.webp"), noise)
    for source, options in (("a.jpg", {}), ("a.png", {"quality": 80}), ("b.webp", {"quality": 80})):
        copied(tmp_path / source, tmp_path / "c.webp", overwrite=True, **options)
        assert b"VP8L" not in (tmp_path / "c.webp").read_bytes()


def test_text_of_a_png_stays_in_a_png_and_is_named_elsewhere(tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Title", "a night")
    text.add_itxt("Author", "café")
    text.add(b"gAMA", (45455).to_bytes(4, "big"))
    Image.fromarray(quarters()).save(tmp_path / "a.png", pnginfo=text)
    assert copied(tmp_path / "a.png", tmp_path / "b.png") == []
    with Image.open(tmp_path / "b.png") as image:
        assert image.text == {"Title": "a night", "Author": "café"}  # type: ignore[attr-defined]
        assert image.info["gamma"] == 0.45455
    assert copied(tmp_path / "a.png", tmp_path / "b.jpg") == ["JPEG does not hold its text"]


def test_a_profile_of_grey_does_not_go_with_rgb(tmp_path: Path) -> None:
    icc = bytearray(profile())
    icc[16:20] = b"GRAY"
    Image.fromarray(quarters()).convert("L").save(tmp_path / "a.png", icc_profile=bytes(icc))
    assert copied(tmp_path / "a.png", tmp_path / "b.tif") == []
    assert copied(tmp_path / "a.png", tmp_path / "b.webp") == [
        "its colour profile is not one of RGB pixels and is not copied"
    ]


def test_exif_that_a_jpeg_cannot_hold_is_named(tmp_path: Path) -> None:
    exif = photo_exif(maker_note=bytes(70_000))
    Image.fromarray(quarters()).save(tmp_path / "a.png", exif=exif)
    assert copied(tmp_path / "a.png", tmp_path / "b.tif") == []
    assert copied(tmp_path / "a.png", tmp_path / "b.jpg") == [
        "JPEG does not hold its EXIF of more than 64 KiB"
    ]


@pytest.mark.parametrize(("shape", "copies"), [((16, 48), (1, 2)), ((32, 24), (2, 1))])
def test_before_and_after_are_both_as_transparent_as_the_input(
    tmp_path: Path, shape: tuple[int, int], copies: tuple[int, int]
) -> None:
    pixels = translucent(tmp_path / "a.png")
    with (
        PictureSource(tmp_path / "a.png") as source,
        PictureSink(tmp_path / "b.png", source.picture) as sink,
    ):
        sink.write(Frame(np.zeros((*shape, 3), np.uint8), 0, source.info.time_base, 0))
        sink.finish()
    assert np.array_equal(pixels_of(tmp_path / "b.png")[..., 3], np.tile(pixels[..., 3], copies))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def picture(tmp_path: Path) -> Iterator[PictureSource]:
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    with PictureSource(tmp_path / "a.png") as source:
        yield source


def test_the_file_appears_when_it_is_complete(tmp_path: Path, picture: PictureSource) -> None:
    with PictureSink(tmp_path / "b.png", picture.picture) as sink:
        sink.write(next(iter(picture)))
        assert "b.png" not in names(tmp_path)
        sink.finish()
    assert names(tmp_path) == ["a.png", "b.png"]


def test_an_unfinished_file_leaves_nothing(tmp_path: Path, picture: PictureSource) -> None:
    with PictureSink(tmp_path / "b.png", picture.picture) as sink:
        sink.write(next(iter(picture)))
    with (
        PictureSink(tmp_path / "b.png", picture.picture) as sink,
        pytest.raises(SinkError, match="no picture was written"),
    ):
        sink.finish()
    assert names(tmp_path) == ["a.png"]


def test_an_existing_file_is_kept_unless_it_is_said(tmp_path: Path, picture: PictureSource) -> None:
    (tmp_path / "b.png").write_bytes(b"mine")
    with pytest.raises(SinkError, match="exists already; -y overwrites it"):
        PictureSink(tmp_path / "b.png", picture.picture)
    assert (tmp_path / "b.png").read_bytes() == b"mine"
    copied(tmp_path / "a.png", tmp_path / "b.png", overwrite=True)
    assert np.array_equal(pixels_of(tmp_path / "b.png"), quarters())


def test_a_full_disk_is_named_and_leaves_nothing(
    tmp_path: Path, picture: PictureSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    for extension, writer in (("png", "write_png"), ("tif", "write_tiff")):
        monkeypatch.setattr(f"streamlight.sinks.picture_encoding.{writer}", full)
        with (
            PictureSink(tmp_path / f"b.{extension}", picture.picture) as sink,
            pytest.raises(SinkError, match="the disk is full; free some space"),
        ):
            sink.write(next(iter(picture)))
    assert names(tmp_path) == ["a.png"]


def test_targets_that_cannot_be_are_refused(tmp_path: Path, picture: PictureSource) -> None:
    source = tmp_path / "a.png"
    with pytest.raises(SinkError, match=r"not written as '\.gif'; choose one of \.jpg"):
        check_picture_target(tmp_path / "b.gif", source)
    with pytest.raises(UsageError, match="input and output are the same file"):
        check_picture_target(source, source)
    with pytest.raises(UsageError, match="--quality 101: must be between 1 and 100"):
        check_picture_target(tmp_path / "b.jpg", source, 101)
    with pytest.raises(UsageError, match="--quality 90: PNG is lossless; leave it out"):
        check_picture_target(tmp_path / "b.png", source, 90)


def test_a_picture_too_wide_for_its_format_is_refused_at_once(tmp_path: Path) -> None:
    Image.new("L", (16_400, 2)).save(tmp_path / "a.png")
    with pytest.raises(SinkError, match=r"WebP holds at most 16383 pixels a side"):
        copied(tmp_path / "a.png", tmp_path / "b.webp")
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("extension", FORMATS)
def test_the_smallest_picture_is_written(tmp_path: Path, extension: str) -> None:
    Image.new("RGB", (1, 1), (9, 8, 7)).save(tmp_path / "a.png")
    copied(tmp_path / "a.png", tmp_path / f"b.{extension}")
    assert pixels_of(tmp_path / f"b.{extension}").shape == (1, 1, 3)


def test_strips_of_a_large_tiff_come_together(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    random = np.random.default_rng(1)
    image = random.integers(0, 65536, (701, 333, 3), dtype=np.uint16)
    coding = PictureCoding("TIFF", is_compressed=False)
    save_picture(tmp_path / "a.tif", Encoding("TIFF"), image, coding=coding)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), image)
    save_picture(tmp_path / "b.tif", Encoding("TIFF"), image)
    assert np.array_equal(read_picture(tmp_path / "b.tif").image, image)
