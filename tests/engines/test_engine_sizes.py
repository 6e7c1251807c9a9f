import pytest

from streamlight.engines import Sizes, parse_sizes
from streamlight.engines.graphs import graph_for, input_shapes
from streamlight.errors import UsageError
from streamlight.models import MODELS

FULL, FAST = MODELS["gladnet"], MODELS["gladnet-fast"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1080p", "1920x1080"),
        (" 4K ", "3840x2160"),
        ("1920x801", "1920x802"),
        ("640x360..1920x1080", "640x360..1920x1080@1920x1080"),
        ("640x360..1920x1080@1280x720", "640x360..1920x1080@1280x720"),
        ("any", "384x384..3840x2160@1920x1080"),
    ],
)
def test_sizes_are_read_and_said(text: str, expected: str) -> None:
    sizes = parse_sizes(text, FAST)
    assert str(sizes) == expected
    assert parse_sizes(str(sizes), FAST) == sizes


@pytest.mark.parametrize(
    "text", ["", "8k", "1920", "1920x", "0x360", "1920x1080..640x360", "64x64..96x96@128x128"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--sizes"):
        parse_sizes(text, FAST)


def test_a_range_tells_what_it_takes() -> None:
    sizes = Sizes((64, 64), (128, 96), (256, 256))
    assert (64, 256) in sizes
    assert (63, 256) not in sizes
    assert (64, 257) not in sizes
    assert "64x64" not in sizes


def test_the_compact_graph_is_taken_where_every_size_allows_it() -> None:
    assert graph_for(FULL, parse_sizes("360p", FULL)) == "reconstruct_compact"
    assert graph_for(FULL, parse_sizes("any", FULL)) == "reconstruct_compact"
    assert graph_for(FULL, parse_sizes("190x192..800x800", FULL)) == "reconstruct"
    assert graph_for(FAST, parse_sizes("1080p", FAST)) == "reconstruct"  # it has no other


def test_shapes_of_a_range() -> None:
    assert input_shapes(FAST, parse_sizes("1080p", FAST)) == {}
    shapes = input_shapes(FAST, parse_sizes("400x500..800x900@600x700", FAST))
    assert shapes["image"] == ((1, 500, 400, 3), (1, 700, 600, 3), (1, 900, 800, 3))
    assert shapes["rows"] == ((250,), (350,), (450,))
    assert shapes["columns"] == ((200,), (300,), (400,))
