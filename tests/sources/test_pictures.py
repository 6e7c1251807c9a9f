"""Pictures of every kind, as files hold them: upright RGB comes out, or one clear error."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from stills import SIZE, deep_noise, photo_exif, profile, quarters, stored

from streamlight.errors import SourceError, UnsupportedSourceError
from streamlight.sinks.png import write_png
from streamlight.sources.picture_tags import PictureTags
from streamlight.sources.pictures import PictureSource, read_picture

LOSSLESS: dict[str, dict[str, Any]] = {"png": {}, "webp": {"lossless": True}, "tif": {}}


def close(one: NDArray[Any], other: NDArray[Any], tolerance: int = 6) -> bool:
    return one.shape == other.shape and bool(
        np.abs(one.astype(int) - other.astype(int)).max() <= tolerance
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif"])
def test_pixels_come_upright(tmp_path: Path, extension: str, orientation: int) -> None:
    path = tmp_path / f"a.{extension}"
    exact = {
        **LOSSLESS,
        "jpg": {"quality": 98, "subsampling": 0},
        "avif": {"quality": 98, "subsampling": "4:4:4"},
    }
    lying = stored(quarters(), orientation)
    exif = photo_exif(orientation, (lying.shape[1], lying.shape[0]))
    Image.fromarray(lying).save(path, exif=exif, **exact[extension])
    picture = read_picture(path)
    inner = (slice(2, 6), slice(2, 6))  # away from the edges, where lossy formats ring
    assert close(picture.image[inner], quarters()[inner])
    assert close(picture.image, quarters(), 0 if extension in LOSSLESS else 40)
    assert picture.tags.exif is not None
    assert picture.notes == ()


@pytest.mark.parametrize(
    ("mode", "extension"),
    [("L", "png"), ("L", "jpg"), ("1", "png"), ("LA", "png"), ("P", "png"), ("L", "tif")],
)
def test_grey_pictures_are_known_as_grey(tmp_path: Path, mode: str, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    Image.fromarray(quarters()).convert("L").convert(mode).save(path)
    picture = read_picture(path)
    assert picture.is_grey
    assert picture.image.shape == (SIZE[1], SIZE[0], 3)
    assert (np.ptp(picture.image, axis=2) == 0).all()
    assert (picture.alpha is not None) == (mode == "LA")


def test_a_palette_of_colours_and_one_with_a_transparent_entry(tmp_path: Path) -> None:
    colors = Image.fromarray(quarters()).convert("P", palette=Image.Palette.ADAPTIVE)
    colors.save(tmp_path / "a.png")
    colors.save(tmp_path / "b.png", transparency=0)
    plain, with_hole = read_picture(tmp_path / "a.png"), read_picture(tmp_path / "b.png")
    assert not plain.is_grey and plain.alpha is None
    assert close(plain.image, quarters(), 2)
    assert with_hole.alpha is not None
    assert set(np.unique(with_hole.alpha)) == {0, 255}


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_transparency_is_read(tmp_path: Path, extension: str) -> None:
    alpha = np.arange(SIZE[0] * SIZE[1], dtype=np.uint8).reshape(SIZE[1], SIZE[0]) | 1
    pixels = np.dstack((quarters(), alpha))
    Image.fromarray(pixels).save(tmp_path / f"a.{extension}", **LOSSLESS[extension])
    picture = read_picture(tmp_path / f"a.{extension}")
    assert np.array_equal(picture.image, quarters())
    assert picture.alpha is not None and np.array_equal(picture.alpha, alpha)


def test_cmyk_is_converted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(quarters()).convert("CMYK").save(path, quality=98)
    picture = read_picture(path)
    assert close(picture.image, quarters(), 30)
    assert picture.notes == ("its CMYK colours are converted to sRGB",)
    assert picture.coding.quantization == (), "they are of other channels"


def test_lab_is_converted_by_its_definition(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    rgb = Image.fromarray(quarters())
    lab = ImageCms.profileToProfile(
        rgb, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    lab.save(path)
    picture = read_picture(path)
    assert close(picture.image, quarters(), 4)
    assert picture.tags.icc is None


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_every_bit(tmp_path: Path, channels: int) -> None:
    pixels = deep_noise(channels)
    with (tmp_path / "a.png").open("wb") as file:
        write_png(file, pixels, PictureTags(), effort=1)
    picture = read_picture(tmp_path / "a.png")
    assert picture.image.dtype == np.uint16
    assert np.array_equal(picture.image[..., :1], pixels[..., :1])
    assert np.array_equal(picture.image[..., 2:], pixels[..., (2 if channels > 2 else 0), None])
    assert picture.is_grey == (channels < 3)
    if channels in (2, 4):
        assert picture.alpha is not None and np.array_equal(picture.alpha, pixels[..., -1])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize(
    ("compression", "differences"),
    [(None, False), ("zlib", False), ("zlib", True), ("lzw", False), ("lzw", True)],
)
@pytest.mark.parametrize("is_big", [False, True])
def test_tiff_of_16_bits_keeps_every_bit(
    tmp_path: Path,
    order: Any,
    planes: str,
    tile: tuple[int, int] | None,
    compression: str | None,
    differences: bool,
    is_big: bool,
) -> None:
    tifffile = pytest.importorskip("tifffile")
    if compression == "lzw" or differences:
        pytest.importorskip("imagecodecs")
    for channels in (1, 3, 4):
        pixels = deep_noise(channels)
        tifffile.imwrite(
            tmp_path / "a.tif",
            np.squeeze(np.moveaxis(pixels, -1, 0) if planes == "separate" else pixels),
            byteorder=order,
            photometric="minisblack" if channels == 1 else "rgb",
            planarconfig=planes if channels > 1 else None,
            tile=tile,
            rowsperstrip=None if tile else 5,
            compression=compression,
            predictor=2 if differences else None,
            bigtiff=is_big,
            extrasamples=["unassalpha"] if channels == 4 else None,
        )
        picture = read_picture(tmp_path / "a.tif")
        assert np.array_equal(picture.image, np.broadcast_to(pixels[..., :3], picture.image.shape))
        assert (picture.alpha is None) == (channels != 4)
        assert picture.coding.is_compressed == (compression is not None)


def test_colours_multiplied_by_alpha_are_divided_again(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    alpha = np.full((4, 4, 1), 32768, np.uint16)
    colors = np.full((4, 4, 3), 20000, np.uint16)
    pixels = np.concatenate((colors // 2, alpha), axis=2)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    assert close(read_picture(tmp_path / "a.tif").image, colors, 2)


def test_a_tiff_of_white_zero_is_not_a_negative(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pixels = deep_noise(1)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert np.array_equal(read_picture(tmp_path / "a.tif").image[..., 1], 65535 - pixels)


def test_only_the_first_page_is_read_and_that_is_said(tmp_path: Path) -> None:
    page = Image.fromarray(quarters())
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page.rotate(90)])
    picture = read_picture(tmp_path / "a.tif")
    assert np.array_equal(picture.image, quarters())
    assert picture.notes == ("only the first page is enhanced and copied",)


@pytest.mark.parametrize("extension", ["png", "webp", "gif"])
def test_animations_are_refused_with_a_way_out(tmp_path: Path, extension: str) -> None:
    page = Image.fromarray(quarters())
    path = tmp_path / f"a.{extension}"
    page.save(path, save_all=True, append_images=[page.rotate(90), page.rotate(180)])
    with pytest.raises(UnsupportedSourceError, match=r"is animated; make a video of it first"):
        read_picture(path)


def test_the_coding_of_the_input_is_known(tmp_path: Path) -> None:
    page = Image.fromarray(quarters())
    page.save(tmp_path / "a.jpg", quality=61, subsampling=1, progressive=True)
    coding = read_picture(tmp_path / "a.jpg").coding
    with Image.open(tmp_path / "a.jpg") as jpeg:
        tables = jpeg.quantization  # type: ignore[attr-defined]
    assert [list(table) for table in coding.quantization] == [tables[0], tables[1]]
    assert (coding.subsampling, coding.is_progressive, coding.is_lossless) == (1, True, False)
    for lossless in (True, False):
        page.save(tmp_path / "a.webp", lossless=lossless, exif=photo_exif())
        assert read_picture(tmp_path / "a.webp").coding.is_lossless == lossless


def test_tags_are_collected(tmp_path: Path) -> None:
    icc, xmp = profile(), b"<x:xmpmeta>caf\xc3\xa9</x:xmpmeta>"
    page = Image.fromarray(quarters())
    for extension in ("jpg", "tif", "webp"):
        options: dict[str, Any] = {"exif": photo_exif(), "icc_profile": icc, "dpi": (300, 200)}
        if extension == "jpg":
            options["comment"] = b"night"
        if extension == "tif":
            options["exif"][700] = xmp
        else:
            options["xmp"] = xmp
        page.save(tmp_path / f"a.{extension}", **options)
        tags = read_picture(tmp_path / f"a.{extension}").tags
        assert (tags.icc, tags.xmp) == (icc, xmp), extension
        assert tags.exif is not None and b"2024:01:02 03:04:05" in tags.exif
        assert tags.dpi == ((300, 200) if extension != "webp" else None)
        assert tags.comment == (b"night" if extension == "jpg" else None)


def test_further_pictures_of_a_phone_are_named(tmp_path: Path) -> None:
    page = Image.fromarray(quarters())
    page.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[page.rotate(90)])
    picture = read_picture(tmp_path / "a.jpg")
    assert close(picture.image[2:6, 2:6], quarters()[2:6, 2:6], 12)
    assert picture.notes == ("the further pictures in it (depth, gain map) are not copied",)


def test_xmp_no_longer_tells_of_what_is_gone(tmp_path: Path) -> None:
    """A phone's gain map, motion video and thumbnail; the rest of the packet stays."""
    xmp = (
        b'<rdf:Description xmp:Rating="5" hdrgm:Version="1.0" GCamera:MotionPhoto="1">'
        b"<Container:Directory><rdf:Seq>gain map</rdf:Seq></Container:Directory>"
        b"<xmp:Thumbnails>of the dark picture</xmp:Thumbnails><dc:title>night</dc:title>"
        b"</rdf:Description>"
    )
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", xmp=xmp)
    assert read_picture(tmp_path / "a.jpg").tags.xmp == (
        b'<rdf:Description xmp:Rating="5"><dc:title>night</dc:title></rdf:Description>'
    )


def test_a_turned_picture_swaps_its_resolution(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", exif=photo_exif(8), dpi=(300, 200))
    assert read_picture(tmp_path / "a.jpg").tags.dpi == (200, 300)


def test_damaged_exif_costs_the_exif_and_no_more(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", exif=b"Exif\0\0nonsense", dpi=(72, 72))
    picture = read_picture(tmp_path / "a.jpg")
    assert picture.tags.exif is None
    assert picture.notes == ("its EXIF is damaged and is not copied",)


def test_a_wrong_extension_does_no_harm(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.jpg", "PNG")
    assert np.array_equal(read_picture(tmp_path / "a.jpg").image, quarters())


def test_a_damaged_chunk_beside_the_picture_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(quarters()).save(path, dpi=(300, 300))
    data = bytearray(path.read_bytes())
    data[data.index(b"pHYs") + 5] ^= 1
    path.write_bytes(data)
    picture = read_picture(path)
    assert np.array_equal(picture.image, quarters())
    assert picture.tags.dpi is None


def example(extension: str) -> bytes:
    file = io.BytesIO()
    if extension == "deep.png":
        write_png(file, deep_noise(3), PictureTags(), effort=1)
    elif extension == "deep.tif":
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(file, deep_noise(3), photometric="rgb", compression="zlib")
    else:
        noise = (deep_noise(3) >> 8).astype(np.uint8)
        Image.fromarray(noise).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(extension, extension))
    return file.getvalue()


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif", "deep.png", "deep.tif"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.95])
def test_a_file_that_is_cut_off_is_refused_in_one_line(
    tmp_path: Path, extension: str, part: float
) -> None:
    data = example(extension)
    path = tmp_path / f"a.{extension}"
    path.write_bytes(data[: max(1, int(len(data) * part))])
    with pytest.raises(SourceError) as caught:
        read_picture(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("extension", ["png", "deep.png"])
def test_a_damaged_png_is_refused(tmp_path: Path, extension: str) -> None:
    data = bytearray(example(extension))
    data[len(data) // 2] ^= 8
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged or cut off \(a checksum in it is wrong\)"):
        read_picture(tmp_path / "a.png")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of tags that it cannot read
@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "tif", "avif", "deep.png", "deep.tif"])
def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path: Path, extension: str) -> None:
    data = example(extension)
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(30):
        broken = np.frombuffer(data, np.uint8).copy()
        reach = len(data) if random.random() < 0.5 else min(200, len(data))  # headers, mostly
        broken[random.integers(0, reach, 5)] = random.integers(0, 256, 5)
        (tmp_path / "a").write_bytes(broken.tobytes())
        try:
            picture = read_picture(tmp_path / "a")
            assert picture.image.ndim == 3 and picture.image.shape[2] == 3
        except SourceError:
            refused += 1
    assert refused > 3


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.jpg", b"", "the file is empty"),
        ("a.jpg", b"hello, world", "not a picture that can be read"),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC is not read; convert it first"),
        ("a.jxl", b"\xff\x0a123", "JPEG XL is not read; convert it first"),
        ("a.dng", b"II*\0", "is a raw photograph; develop it to a 16-bit TIFF first"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=words):
        read_picture(tmp_path / name)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        read_picture(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="is a folder; a picture was expected"):
        read_picture(tmp_path)


def test_floating_point_is_refused_with_a_way_out(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(UnsupportedSourceError, match="convert it to a TIFF of 16-bit integers"):
        read_picture(tmp_path / "a.tif")


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG of one colour that is small as a file."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">L", len(content))
            + name
            + content
            + struct.pack(">L", zlib.crc32(name + content))
        )

    head = struct.pack(">2L5B", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes(((width + 7) // 8 + 1) * min(height, 12_000)), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_the_limit_of_pillow_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    assert np.array_equal(read_picture(tmp_path / "a.png").image, quarters())


def test_a_picture_beyond_reason_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(huge_png(100_000, 100_000))
    with pytest.raises(SourceError, match="has 100000x100000 pixels; at most 268 million are read"):
        read_picture(tmp_path / "a.png")


def test_a_source_yields_the_one_picture(tmp_path: Path) -> None:
    Image.fromarray(quarters()).save(tmp_path / "a.png")
    with PictureSource(tmp_path / "a.png") as source:
        frames = list(source)
    assert (source.info.width, source.info.height, source.info.frame_count) == (*SIZE, 1)
    assert [frame.pts for frame in frames] == [0]
    assert np.array_equal(frames[0].image, quarters())
