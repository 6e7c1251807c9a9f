"""The detail network in the layout of a picture in memory, against the reference."""

import pytest

torch = pytest.importorskip("torch", reason="the reference needs torch")

from streamlight.models.detail_nhwc import DetailNHWC, row_conv  # noqa: E402
from streamlight.models.gladnet import Detail  # noqa: E402


@pytest.mark.parametrize("widths", [(5,), (5, 4)])
@pytest.mark.parametrize(
    ("unshuffle", "is_affine", "is_compact"),
    [
        *((1, False, False), (1, False, True), (2, False, False), (2, False, True)),
        *((1, True, False), (2, True, False), (3, True, False)),
    ],
)
def test_it_gives_what_the_reference_gives(
    unshuffle: int, is_affine: bool, is_compact: bool, widths: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    detail = Detail(4, widths, unshuffle, is_affine).eval()
    height, width = (384, 396) if is_compact else (18, 30)
    image, prior = torch.rand(1, height, width, 3), torch.rand(1, 4, 96, 96)
    with torch.inference_mode():
        expected = detail(image.permute(0, 3, 1, 2), prior).permute(0, 2, 3, 1)
        result = DetailNHWC(detail, is_compact)(image, prior)
    assert float(((expected > 0) & (expected < 1)).float().mean()) > 0.1, "all is clamped"
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("unshuffle", [1, 2, 3, 4])
def test_a_stride_of_rows_sees_what_an_unshuffled_picture_shows(unshuffle: int) -> None:
    torch.manual_seed(0)
    r, h, w = unshuffle, 5, 6
    weight = torch.rand(7, 3 * r * r, 3, 3)
    image = torch.rand(1, r * h, r * w, 3)
    unshuffled = image.reshape(1, h, r, w, 3 * r).permute(0, 2, 4, 1, 3).flatten(1, 2)
    rows = image.reshape(1, r * h, w, 3 * r).permute(0, 3, 1, 2)
    with torch.inference_mode():
        torch.testing.assert_close(
            row_conv(weight, r)(rows), torch.nn.functional.conv2d(unshuffled, weight, padding=1)
        )
