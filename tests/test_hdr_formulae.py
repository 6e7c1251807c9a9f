"""The formulae of HDR at the points that the standards publish."""

import numpy as np
import pytest

from streamlight.color import Primaries, Transfer
from streamlight.hdr import (
    HdrMetadata,
    compress,
    hlg_gamma,
    hlg_of_scene,
    light_of_signal,
    limit_gamut,
    luminance_weights,
    nits_of_pq,
    nits_of_scene,
    pq_of_nits,
    scene_of_hlg,
    scene_of_nits,
    sdr_of_hdr,
    signal_of_light,
    source_peak_nits,
    to_bt709,
)


@pytest.mark.parametrize(
    ("nits", "signal"), [(0, 0), (100, 0.5081), (203, 0.5807), (1000, 0.7518), (10_000, 1)]
)
def test_pq_at_its_published_points(nits: float, signal: float) -> None:
    """SMPTE ST 2084 and BT.2408, table 1: 58 % is 203 nits."""
    assert pq_of_nits(nits) == pytest.approx(signal, abs=5e-5)
    assert nits_of_pq(pq_of_nits(nits)) == pytest.approx(nits, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("signal", "nits", "tolerance"), [(0, 0, 0), (0.38, 26, 0.5), (0.75, 203, 0.5), (1, 1000, 0.1)]
)
def test_hlg_on_a_display_of_1000_nits(signal: float, nits: float, tolerance: float) -> None:
    """BT.2408, table 1: an 18 % grey card at 38 % is 26 nits, reference white at 75 % is 203."""
    shown = nits_of_scene(scene_of_hlg(np.full(3, signal)))
    np.testing.assert_allclose(shown, nits, atol=tolerance)


def test_the_two_parts_of_hlg_meet_and_each_inverse_is_one() -> None:
    assert scene_of_hlg(0.5) == pytest.approx(1 / 12, rel=1e-7)
    assert scene_of_hlg(0.5 + 1e-9) == pytest.approx(1 / 12, rel=1e-6)
    signal = np.linspace(0, 1, 1001)
    np.testing.assert_allclose(hlg_of_scene(scene_of_hlg(signal)), signal, atol=1e-7)
    scene = np.random.default_rng(1).random((50, 3))
    np.testing.assert_allclose(scene_of_nits(nits_of_scene(scene)), scene, rtol=1e-9)
    light = np.linspace(0, 1, 101)
    np.testing.assert_allclose(light_of_signal(signal_of_light(light)), light, atol=1e-12)


def test_the_gamma_of_hlg_follows_the_display() -> None:
    """BT.2100, table 5, note 5f."""
    assert hlg_gamma(1000) == pytest.approx(1.2)
    assert hlg_gamma(2000) == pytest.approx(1.326, abs=1e-3)


def test_the_matrices_are_those_of_the_recommendations() -> None:
    """BT.2087, annex 2, and the luminance weights of BT.2020, BT.709 and Display P3."""
    bt2087 = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    np.testing.assert_allclose(to_bt709(Primaries.BT2020), bt2087, atol=5e-5)
    np.testing.assert_allclose(to_bt709(Primaries.BT709), np.eye(3), atol=1e-12)
    p3 = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    np.testing.assert_allclose(to_bt709(12), p3, atol=5e-4)
    np.testing.assert_allclose(luminance_weights(9), [0.2627, 0.6780, 0.0593], atol=5e-5)
    np.testing.assert_allclose(luminance_weights(1), [0.2126, 0.7152, 0.0722], atol=5e-5)
    np.testing.assert_array_equal(to_bt709(Primaries.UNSPECIFIED), to_bt709(Primaries.BT2020))


def test_the_tone_curve_ends_at_its_target_and_leaves_the_dark_alone() -> None:
    """BT.2390: a knee at 1.5 maxLum - 0.5 of PQ, from 1000 to 203 nits at 88 nits."""
    nits = np.linspace(0, 1000, 4001)
    mapped = compress(nits, 1000, 203)
    assert mapped[-1] == pytest.approx(203)
    assert (np.diff(mapped) >= 0).all()
    assert (mapped <= nits + 1e-9).all()
    knee = float(nits_of_pq((1.5 * pq_of_nits(203) / pq_of_nits(1000) - 0.5) * pq_of_nits(1000)))
    assert knee == pytest.approx(88, abs=0.5)
    np.testing.assert_allclose(mapped[nits < knee], nits[nits < knee], rtol=1e-9)
    slope = np.diff(mapped)[np.searchsorted(nits, knee)] / np.diff(nits)[0]
    assert slope == pytest.approx(1, abs=0.02), "a corner at the knee"
    dim = np.array([0.0, 100.0, 203.0])
    np.testing.assert_allclose(compress(dim, 203, 203), dim, rtol=1e-9)


def test_the_middle_of_the_spline_is_what_the_report_defines() -> None:
    """BT.2390, section 5.4.1: P(B), by hand for 500 nits of 1000."""
    most, e1 = 0.5806889 / 0.7518271, float(pq_of_nits(500)) / 0.7518271
    knee = 1.5 * most - 0.5
    t = (e1 - knee) / (1 - knee)
    by_hand = (2 * t**3 - 3 * t**2 + 1) * knee
    by_hand += (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    assert compress(500, 1000, 203) == pytest.approx(float(nits_of_pq(by_hand * 0.7518271)))


def test_colours_out_of_gamut_are_mixed_with_grey_and_keep_their_luminance() -> None:
    rgb = np.random.default_rng(2).uniform(-0.4, 1.4, (500, 3))
    limited = limit_gamut(rgb)
    assert limited.min() >= 0
    assert limited.max() <= 1
    weights = luminance_weights(Primaries.BT709)
    before = rgb @ weights
    shows = (before > 0) & (before < 1)
    np.testing.assert_allclose((limited @ weights)[shows], before[shows], atol=1e-9)
    inside = ((rgb >= 0) & (rgb <= 1)).all(axis=1)
    assert inside.any()
    np.testing.assert_allclose(limited[inside], rgb[inside], atol=1e-12)


@pytest.mark.parametrize("transfer", [Transfer.PQ, Transfer.HLG])
def test_a_grey_below_the_knee_is_shown_with_its_own_light(transfer: int) -> None:
    light = np.linspace(0, 85, 200)[:, None].repeat(3, axis=1)
    coded = pq_of_nits(light) if transfer == Transfer.PQ else hlg_of_scene(scene_of_nits(light))
    shown = light_of_signal(sdr_of_hdr(coded, transfer, Primaries.BT2020, 1000)) * 203
    np.testing.assert_allclose(shown, light, atol=1e-4)


@pytest.mark.parametrize("transfer", [Transfer.PQ, Transfer.HLG])
def test_black_is_black_white_is_white_and_hue_stays(transfer: int) -> None:
    def tone_map(signal: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return sdr_of_hdr(np.asarray(signal, np.float64), transfer, Primaries.BT2020, 1000)

    peak = float(pq_of_nits(1000)) if transfer == Transfer.PQ else 1.0
    np.testing.assert_allclose(tone_map([[0, 0, 0], [peak] * 3]), [[0] * 3, [1] * 3], atol=1e-4)
    # an orange lamp, above SDR's white: still orange
    red, green, blue = tone_map([0.98 * peak, 0.8 * peak, 0.6 * peak])
    assert red > green > blue
    assert red > 0.9


def test_the_peak_is_what_the_file_says() -> None:
    mastering = HdrMetadata(mastering_max_nits=4000)
    assert source_peak_nits(Transfer.PQ) == 1000
    assert source_peak_nits(Transfer.PQ, mastering) == 4000
    assert source_peak_nits(Transfer.PQ, HdrMetadata(4000, max_cll=650)) == 650
    assert source_peak_nits(Transfer.HLG, mastering) == 1000
    assert source_peak_nits(Transfer.PQ, HdrMetadata(max_cll=80)) == 203
    assert source_peak_nits(Transfer.PQ, HdrMetadata(max_cll=60_000)) == 10_000
