"""The enhancer: padding, dtypes, the look, and threads, against the PyTorch network itself."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from clips import dim
from fake_backend import FakeBackend
from ffprobe import psnr_db
from numpy.typing import NDArray

from streamlight.enhance import Enhancer, Estimate
from streamlight.errors import UsageError
from streamlight.frame import Image
from streamlight.look import Look
from streamlight.models.spec import MODELS

FAST = "gladnet-fast"
PEAKS = {"uint8": 255, "uint16": 65535, "float32": 1}
SIZES = [(1, 1), (1, 7), (3, 5), (2, 2), (48, 64), (97, 101)]


@pytest.fixture(scope="module")
def enhancer() -> Iterator[Enhancer]:
    """The default backend in FP32, with the paper's view."""
    with Enhancer.open(FAST, "openvino", precision="fp32", sampling="nearest") as enhancer:
        yield enhancer


@pytest.fixture(scope="module", params=["openvino", "torch"])
def each_enhancer(request: pytest.FixtureRequest) -> Iterator[Enhancer]:
    """Each backend on the CPU."""
    if request.param == "torch":
        pytest.importorskip("torch", reason="needs torch")
    with Enhancer.open(
        FAST, request.param, device="cpu", precision="fp32", sampling="nearest"
    ) as enhancer:
        yield enhancer


def picture(height: int, width: int, dtype: str = "uint8", seed: int = 0) -> Image:
    """Dark noise on a dark gradient: no two pixels are alike."""
    smooth = dim(seed, width, height) / 255
    noise = np.random.default_rng(seed).random((height, width, 3)) * 0.1
    return np.asarray((smooth + noise) * PEAKS[dtype], np.dtype(dtype))


def reference(image: Image, model: str = FAST) -> NDArray[np.float64]:
    """What the network makes of a picture, padded to even sides by repeating its edge."""
    torch = pytest.importorskip("torch", reason="the reference needs torch")
    from streamlight.models.weights import load_network

    network = load_network(MODELS[model])
    height, width = image.shape[:2]
    scaled = (image / PEAKS[str(image.dtype)]).astype(np.float32)
    rows = [i * height // 96 for i in range(96)]
    columns = [i * width // 96 for i in range(96)]
    view = torch.from_numpy(scaled[rows][:, columns]).permute(2, 0, 1)[None]
    step = MODELS[model].unshuffle
    y = [min(i, height - 1) for i in range(-(-height // step) * step)]
    x = [min(i, width - 1) for i in range(-(-width // step) * step)]
    with torch.inference_mode():
        padded = torch.from_numpy(scaled[y][:, x]).permute(2, 0, 1)[None]
        result = network.reconstruct(padded, network.estimate(view))[0].permute(1, 2, 0)
    return np.asarray(result.numpy()[:height, :width] * float(PEAKS[str(image.dtype)]))


@pytest.mark.parametrize("dtype", PEAKS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_any_size_and_dtype_gives_what_the_network_makes_of_the_padded_picture(
    enhancer: Enhancer, height: int, width: int, dtype: str
) -> None:
    image = picture(height, width, dtype)
    before = image.copy()
    result = enhancer(image)
    assert result.shape == image.shape
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(image, before, err_msg="the input was changed")
    assert not np.shares_memory(result, image)
    error = np.abs(result - reference(image)) / PEAKS[dtype]
    assert error.max() <= {"uint8": 0.52 / 255, "uint16": 3 / 65535, "float32": 3e-5}[dtype]


def test_a_picture_larger_than_the_prior_is_no_exception(enhancer: Enhancer) -> None:
    image = picture(385, 401)
    error = np.abs(enhancer(image) - reference(image))
    assert error.max() <= 0.52


def test_the_full_model_needs_no_padding() -> None:
    image = picture(33, 47)
    with Enhancer.open("gladnet", "openvino", precision="fp32", sampling="nearest") as enhancer:
        error = np.abs(enhancer(image) - reference(image, "gladnet"))
    assert error.max() <= 0.52


def mirrored(image: Image) -> Image:
    return np.ascontiguousarray(image[:, ::-1])[:, ::-1]


def cut_out(image: Image) -> Image:
    return np.pad(image, ((3, 3), (5, 5), (0, 0)))[3:-3, 5:-5]


def of_bgr(image: Image) -> Image:
    return np.ascontiguousarray(image[..., ::-1])[..., ::-1]


def read_only(image: Image) -> Image:
    image = image.copy()
    image.flags.writeable = False
    return image


@pytest.mark.parametrize("side", [40, 41])
@pytest.mark.parametrize("arrange", [mirrored, cut_out, of_bgr, read_only, np.asfortranarray])
def test_how_an_array_lies_in_memory_makes_no_difference(
    each_enhancer: Enhancer, arrange: Callable[[Image], Image], side: int
) -> None:
    image = picture(side, side)
    arranged = arrange(image)
    np.testing.assert_array_equal(arranged, image)
    np.testing.assert_array_equal(each_enhancer(arranged), each_enhancer(image))


@pytest.mark.parametrize(
    ("image", "got"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 of shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 of shape \(4, 4, 4\)"),
        (np.zeros((1, 3, 4, 4), np.float32), r"float32 of shape \(1, 3, 4, 4\)"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 of shape \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float64), r"float64 of shape \(4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.int32), r"int32 of shape \(4, 4, 3\)"),
        (np.zeros((4, 4, 3), bool), r"bool of shape \(4, 4, 3\)"),
    ],
)
def test_what_is_no_picture_is_refused(enhancer: Enhancer, image: Image, got: str) -> None:
    expected = r"expected an RGB picture \(H, W, 3\) of uint8, uint16 or float32, got "
    with pytest.raises(ValueError, match=expected + got):
        enhancer(image)
    with pytest.raises(ValueError, match=expected + got):
        enhancer.reconstruct(image, Estimate(np.zeros((1, 32, 96, 96), np.float32)))


def test_16_bits_give_the_picture_of_8_bits_with_finer_steps(enhancer: Enhancer) -> None:
    image = picture(64, 80)
    fine = enhancer(image.astype(np.uint16) * 257) / 257
    assert np.abs(fine - enhancer(image)).max() <= 0.52
    assert len(np.unique(fine)) > 1000


def test_the_prior_depends_on_the_view_alone(enhancer: Enhancer) -> None:
    image = picture(200, 300)
    prior = prior_of(enhancer, image)
    assert prior.shape == (1, 32, 96, 96)
    assert prior.dtype == np.float32
    is_seen = np.zeros(image.shape[:2], bool)
    is_seen[np.ix_([i * 200 // 96 for i in range(96)], [i * 300 // 96 for i in range(96)])] = True
    other = image.copy()
    other[~is_seen] = 255
    np.testing.assert_array_equal(prior_of(enhancer, other), prior)
    other[95 * 200 // 96, 12 * 300 // 96] = 255  # one that is seen
    assert np.abs(prior_of(enhancer, other) - prior).max() > 0


def prior_of(enhancer: Enhancer, image: Image) -> NDArray[np.float32]:
    prior = enhancer.estimate(image).prior
    assert prior is not None
    return prior


def test_reconstruct_gives_the_same_from_many_threads(each_enhancer: Enhancer) -> None:
    """Different pictures of several sizes at once, also while a network is compiled for them."""
    images = [picture(50 + i % 3 * 7, 64, seed=i) for i in range(9)]
    priors = [each_enhancer.estimate(image) for image in images]
    with ThreadPoolExecutor(3) as threads:
        at_once = list(threads.map(each_enhancer.reconstruct, images, priors))
    for image, prior, result in zip(images, priors, at_once, strict=True):
        np.testing.assert_array_equal(result, each_enhancer.reconstruct(image, prior))


def test_as_many_streams_as_there_are_give_the_same() -> None:
    images = [picture(130, 144, seed=i) for i in range(12)]
    with Enhancer.open(FAST, "openvino", precision="fp32", parallel=3) as enhancer:
        assert enhancer.parallel == 3
        priors = [enhancer.estimate(image) for image in images]
        with ThreadPoolExecutor(6) as threads:
            at_once = list(threads.map(enhancer.reconstruct, images, priors))
        for image, prior, result in zip(images, priors, at_once, strict=True):
            np.testing.assert_array_equal(result, enhancer.reconstruct(image, prior))


@pytest.mark.parametrize("dtype", PEAKS)
def test_no_strength_gives_the_input_exactly(enhancer: Enhancer, dtype: str) -> None:
    image = picture(31, 33, dtype)
    enhancer.look = Look(strength=0)
    try:
        np.testing.assert_array_equal(enhancer(image), image)
    finally:
        enhancer.look = Look()


@pytest.mark.parametrize("dtype", PEAKS)
def test_half_the_strength_lies_halfway(enhancer: Enhancer, dtype: str) -> None:
    image = picture(31, 33, dtype)
    full = enhancer(image)
    enhancer.look = Look(strength=0.5)
    try:
        half = enhancer(image)
    finally:
        enhancer.look = Look()
    middle = (image.astype(np.float64) + full) / 2
    assert np.abs(half - middle).max() <= (1e-6 if dtype == "float32" else 0.5)
    assert (full != image).mean() > 0.9


def test_bf16_and_fp32_look_the_same() -> None:
    image = picture(120, 160)
    with (
        Enhancer.open(FAST, "openvino") as default,
        Enhancer.open(FAST, "openvino", precision="fp32") as exact,
    ):
        assert psnr_db(default(image)[None], exact(image)[None]) >= 40


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_backend_gets_what_its_contract_promises(height: int, width: int) -> None:
    backend = FakeBackend()
    image = read_only(picture(height, width))
    with Enhancer(backend, MODELS[FAST]) as enhancer:
        result = enhancer(image)
        assert not backend.is_closed
    assert backend.is_closed
    (given,) = backend.images
    assert given.shape == (height + height % 2, width + width % 2, 3)
    assert given.flags.c_contiguous
    assert given.flags.writeable
    np.testing.assert_array_equal(given[:height, :width], image)
    np.testing.assert_array_equal(given[height:, :width], image[-1:][: height % 2])
    np.testing.assert_array_equal(given[:height, width:], image[:, -1:][:, : width % 2])
    np.testing.assert_array_equal(result, image + 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimate_every": 0}, "--estimate-every 0: must be at least 1"),
        ({"smoothing_s": -1.0}, "--smoothing -1: must not be negative"),
        ({"sampling": "cubic"}, "--sampling cubic: choose one of many, nearest, area"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Enhancer(FakeBackend(), MODELS[FAST], **arguments)  # type: ignore[arg-type]
