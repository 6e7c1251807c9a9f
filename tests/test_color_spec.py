"""What is filled in where a file does not state its colours."""

import pytest

from streamlight.color import ColorSpec, Matrix, Range, color_note, is_hdr, sdr_of


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [
        (640, 480, Matrix.SMPTE170M),
        (720, 480, Matrix.SMPTE170M),
        (720, 576, Matrix.BT470BG),
        (1024, 576, Matrix.BT470BG),
        (1279, 575, Matrix.SMPTE170M),
        (1280, 576, Matrix.BT709),
        (1279, 577, Matrix.BT709),
        (1920, 1080, Matrix.BT709),
        (1, 1, Matrix.SMPTE170M),
    ],
)
def test_the_matrix_is_guessed_from_the_size_and_the_range_is_limited(
    width: int, height: int, matrix: int
) -> None:
    assert ColorSpec().resolved(width, height) == ColorSpec(matrix, Range.LIMITED)


def test_what_is_stated_is_kept() -> None:
    spec = ColorSpec(Matrix.BT2020_NCL, Range.FULL, primaries=9, transfer=18)
    assert spec.resolved(640, 480) == spec
    partly = ColorSpec(range=Range.FULL, transfer=13)
    assert partly.resolved(640, 480) == ColorSpec(Matrix.SMPTE170M, Range.FULL, transfer=13)


def test_rgb_becomes_the_yuv_that_players_expect_and_yuv_stays() -> None:
    rgb = ColorSpec(Matrix.RGB, Range.FULL, primaries=1, transfer=13)
    assert rgb.resolved(64, 48) == rgb
    for_sd, for_hd = rgb.for_yuv(640, 480), rgb.for_yuv(1920, 1080)
    assert for_sd == ColorSpec(Matrix.SMPTE170M, Range.LIMITED, primaries=1, transfer=13)
    assert for_hd == ColorSpec(Matrix.BT709, Range.LIMITED, primaries=1, transfer=13)
    assert for_sd.for_yuv(1920, 1080) == for_sd


@pytest.mark.parametrize(("transfer", "hdr"), [(16, True), (18, True), (1, False), (14, False)])
def test_pq_and_hlg_are_hdr_and_become_bt709(transfer: int, hdr: bool) -> None:
    wide = ColorSpec(Matrix.BT2020_NCL, Range.FULL, primaries=9, transfer=transfer)
    assert is_hdr(wide) == hdr
    sdr = ColorSpec(Matrix.BT709, Range.LIMITED, primaries=1, transfer=1)
    assert sdr_of(wide) == (sdr if hdr else wide)
    assert not is_hdr(sdr_of(wide))


def test_what_cannot_be_converted_exactly_is_said_and_has_a_stand_in() -> None:
    for matrix in (1, 4, 5, 6, 7, 9, 0):
        assert color_note(ColorSpec(matrix)) is None
        assert ColorSpec(matrix).coefficients == matrix
    constant = ColorSpec(Matrix.BT2020_CL, Range.LIMITED)
    assert constant.coefficients == Matrix.BT2020_NCL
    assert "constant luminance" in (color_note(constant) or "")
    for matrix, name in ((8, "YCgCo"), (14, "ICtCp"), (15, "IPT-C2")):
        assert name in (color_note(ColorSpec(matrix)) or "")
        assert ColorSpec(matrix).coefficients == Matrix.BT709
    assert ColorSpec(Matrix.DERIVED_NCL, primaries=9).coefficients == Matrix.BT2020_NCL
    assert ColorSpec(Matrix.DERIVED_NCL, primaries=1).coefficients == Matrix.BT709
