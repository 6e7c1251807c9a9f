"""Each Triton kernel against its plain twin: in Triton's interpreter, and compiled on a GPU.

Outputs are poisoned before, so that what a kernel leaves out shows; nothing next to them may
change.
"""

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from torch import Tensor
    from torch import dtype as dtype_

torch = pytest.importorskip("torch", reason="PyTorch is what the kernels are tested against")
HAS_CUDA = torch.cuda.is_available()
if not HAS_CUDA:  # before Triton is imported, for it looks when its own functions are made
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton", reason="Triton compiles and interprets the kernels")

from streamlight.color import ColorSpec, Matrix, Range  # noqa: E402
from streamlight.cuda import plain  # noqa: E402
from streamlight.cuda.layout import size_of_map  # noqa: E402
from streamlight.cuda.ycbcr import YCbCr  # noqa: E402

pytestmark = [] if not HAS_CUDA else [pytest.mark.gpu]
DEVICE = "cuda" if HAS_CUDA else "cpu"
SIZES = [(2, 2, 1), (5, 7, 1), (9, 33, 1), (6, 10, 2), (10, 34, 2)]
GUARD = 64
LIMITED_709, FULL_601 = (
    ColorSpec(Matrix.BT709, Range.LIMITED),
    ColorSpec(Matrix.SMPTE170M, Range.FULL),
)
WIDE = ColorSpec(Matrix.BT2020_NCL, Range.LIMITED)

PLANES = [
    (2, 2, 1, LIMITED_709, 8),
    (5, 7, 1, FULL_601, 8),
    (9, 33, 1, WIDE, 10),
    (6, 10, 2, LIMITED_709, 10),
    (10, 34, 2, FULL_601, 8),
]


def kernel(name: str) -> ModuleType:
    return importlib.import_module(f"streamlight.cuda.kernels.{name}")


def random(*shape: int, dtype: "dtype_", peak: float = 1.0, least: float = 0.0) -> "Tensor":
    generator = torch.Generator().manual_seed(sum(shape))
    values = torch.rand(shape, generator=generator) * (peak - least) + least
    if dtype in (torch.uint8, torch.uint16):
        values = values.round().to(torch.int32)
    there: Tensor = values.to(dtype).to(DEVICE)
    return there


class Poisoned:
    """A tensor full of what no kernel writes, with guards on both sides."""

    def __init__(self, *shape: int, dtype: "dtype_") -> None:
        self.poison = float("nan") if dtype.is_floating_point else torch.iinfo(dtype).max - 1
        count = torch.Size(shape).numel()
        values = torch.full((count + 2 * GUARD,), self.poison)
        self.all = (
            (values if dtype.is_floating_point else values.to(torch.int32)).to(dtype).to(DEVICE)
        )
        self.tensor = self.all[GUARD : GUARD + count].view(shape)

    def check(self, expected: "Tensor", tolerance: float = 0.0) -> None:
        found, wanted = self.tensor.cpu().double(), expected.cpu().double()
        assert not found.isnan().any()
        assert (found - wanted).abs().max() <= tolerance
        edges = torch.cat([self.all[:GUARD], self.all[-GUARD:]]).cpu().double()
        assert (edges.isnan() | (edges == self.poison)).all(), "written beyond the output"


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32], ids=str)
@pytest.mark.parametrize(("height", "width", "r"), SIZES)
def test_rgb_in(height: int, width: int, r: int, dtype: "dtype_") -> None:
    image = random(height, width, 3, dtype=dtype, peak=plain.peak_of(torch.empty(0, dtype=dtype)))
    shape = size_of_map(height, width, r)
    found, expected = (Poisoned(*shape, dtype=torch.float16) for _ in range(2))
    kernel("rgb_in").rgb_in(image, found.tensor, r)
    plain.rgb_in(image, expected.tensor, r)
    found.check(expected.tensor)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32], ids=str)
@pytest.mark.parametrize(("height", "width", "r"), SIZES)
def test_rgb_out_clamps_and_rounds(height: int, width: int, r: int, dtype: "dtype_") -> None:
    result = random(*size_of_map(height, width, r), dtype=torch.float16, peak=1.2, least=-0.2)
    result[0, 0, 0] = 0.5  # 127.5 and 32767.5, which round up
    found, expected = (Poisoned(height, width, 3, dtype=dtype) for _ in range(2))
    kernel("rgb_out").rgb_out(result, found.tensor, r)
    plain.rgb_out(result, expected.tensor, r)
    found.check(expected.tensor)


@pytest.mark.parametrize(("height", "width", "r", "color", "bits"), PLANES)
def test_nv12_in(height: int, width: int, r: int, color: ColorSpec, bits: int) -> None:
    luma, chroma, spec = nv12(height, width, bits, color)
    shape = size_of_map(height, width, r)
    found, expected = (Poisoned(*shape, dtype=torch.float16) for _ in range(2))
    kernel("nv12_in").nv12_in(luma, chroma, found.tensor, r, spec)
    plain.nv12_in(luma, chroma, expected.tensor, r, spec)
    found.check(expected.tensor, 2**-11)  # one unit of FP16 below 1


@pytest.mark.parametrize(("height", "width", "r", "color", "bits"), PLANES)
def test_nv12_out(height: int, width: int, r: int, color: ColorSpec, bits: int) -> None:
    result = random(*size_of_map(height, width, r), dtype=torch.float16, peak=1.1, least=-0.1)
    spec, dtype = YCbCr.of(color, bits), torch.uint8 if bits == 8 else torch.uint16
    half = ((height + 1) // 2, (width + 1) // 2, 2)
    found = [Poisoned(height, width, dtype=dtype), Poisoned(*half, dtype=dtype)]
    expected = [Poisoned(height, width, dtype=dtype), Poisoned(*half, dtype=dtype)]
    kernel("nv12_out").nv12_out(result, found[0].tensor, found[1].tensor, r, spec)
    plain.nv12_out(result, expected[0].tensor, expected[1].tensor, r, spec)
    for one, other in zip(found, expected, strict=True):
        one.check(other.tensor, spec.unit)  # the order of additions may move a tie


def nv12(height: int, width: int, bits: int, color: ColorSpec) -> "tuple[Tensor, Tensor, YCbCr]":
    """Make planes whose rows have padding, as those of decoders have."""
    dtype, unit = (torch.uint8, 1) if bits == 8 else (torch.uint16, 64)
    peak = (2**bits - 1) * 1.0
    planes = []
    for shape in ((height, width + 6), ((height + 1) // 2, 2 * ((width + 1) // 2) + 6)):
        samples = (random(*shape, dtype=torch.float32, peak=peak).round() * unit).to(torch.int32)
        planes.append(samples.to(dtype))
    luma, chroma = planes[0][:, :width], planes[1]
    pairs = chroma.as_strided((chroma.shape[0], (width + 1) // 2, 2), (chroma.stride(0), 2, 1))
    return luma, pairs, YCbCr.of(color, bits)


@pytest.mark.parametrize(("height", "width", "channels"), [(1, 1, 16), (5, 7, 32), (9, 20, 128)])
def test_bias_relu(height: int, width: int, channels: int) -> None:
    start = random(height, width, channels, dtype=torch.float16, least=-1)
    bias = random(channels, dtype=torch.float16, least=-1)
    found, expected = Poisoned(*start.shape, dtype=torch.float16), start.clone()
    found.tensor.copy_(start)
    kernel("bias_relu").bias_relu(found.tensor, bias)
    plain.bias_relu(expected, bias)
    found.check(expected)


@pytest.mark.parametrize(("height", "width", "channels"), [(1, 1, 16), (5, 7, 32), (9, 20, 128)])
def test_add_grid_relu(height: int, width: int, channels: int) -> None:
    start, grid, rows, columns = gridded(height, width, channels)
    found, expected = Poisoned(*start.shape, dtype=torch.float16), start.clone()
    found.tensor.copy_(start)
    kernel("add_grid_relu").add_grid_relu(found.tensor, grid, rows, columns)
    plain.add_grid_relu(expected, grid, rows, columns)
    found.check(expected)


def gridded(height: int, width: int, channels: int) -> "tuple[Tensor, ...]":
    start = random(height, width, channels, dtype=torch.float16, least=-1)
    grid = random(11, 13, channels, dtype=torch.float16, least=-1)
    rows = torch.arange(height, dtype=torch.int32, device=DEVICE) % 11
    columns = (torch.arange(width, dtype=torch.int32, device=DEVICE) * 5) % 13
    return start, grid, rows, columns


CONVOLUTIONS = [
    (1, 1, 16, 16, True),
    (9, 35, 16, 32, True),
    (7, 19, 128, 128, True),
    (8, 16, 64, 16, False),
]


@pytest.mark.parametrize(("height", "width", "inputs", "outputs", "has_relu"), CONVOLUTIONS)
def test_conv3x3_pads_with_zeros_and_writes_all(
    height: int, width: int, inputs: int, outputs: int, has_relu: bool
) -> None:
    module = kernel("conv3x3")
    x = random(height, width, inputs, dtype=torch.float16, least=-1)
    weight = random(9, inputs, outputs, dtype=torch.float16, peak=0.1, least=-0.1)
    bias = random(outputs, dtype=torch.float16, least=-1)
    expected = plain.conv3x3(x, weight, bias, has_relu)
    for tile in module.TILES if HAS_CUDA else module.TILES[:1]:
        found = Poisoned(height, width, outputs, dtype=torch.float16)
        module.conv3x3(x, weight, bias, has_relu, tile=tile, out=found.tensor)
        found.check(expected, 4e-3)  # one unit of FP16 between 2 and 4 is 2e-3


def test_conv3x3_adds_the_grid_in_place_of_the_bias() -> None:
    _, grid, rows, columns = gridded(9, 21, 32)
    x = random(9, 21, 16, dtype=torch.float16)
    weight = random(9, 16, 32, dtype=torch.float16, peak=0.1, least=-0.1)
    none = torch.zeros(32, dtype=torch.float16, device=DEVICE)
    found = Poisoned(9, 21, 32, dtype=torch.float16)
    kernel("conv3x3").conv3x3(x, weight, none, at=(grid, rows, columns), out=found.tensor)
    expected = plain.conv3x3(x, weight, none, has_relu=False)
    plain.add_grid_relu(expected, grid, rows, columns)
    found.check(expected, 2e-3)
