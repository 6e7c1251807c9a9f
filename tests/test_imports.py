"""What imports what: the public names, the weight of an import, and the layers of DESIGN.md."""

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamlight

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "streamlight"

PUBLIC = [
    "BackendError",
    "BackendInfo",
    "BackendUnavailableError",
    "EncoderOptions",
    "Enhancer",
    "FileSink",
    "FileSource",
    "Frame",
    "Look",
    "ModelError",
    "Pipeline",
    "PipelineReport",
    "ReaderOptions",
    "SinkError",
    "SourceError",
    "StreamInfo",
    "StreamlightError",
    "UnsupportedSourceError",
    "UsageError",
    "__version__",
    "enhance_file",
]

LAYERS = [
    {"__main__"},
    {"cli"},
    {"web"},
    {"api", "batch"},
    {"pictures", "resume", "verify"},
    {"training"},
    {"evaluation", "verify", "batch"},
    {"cameras"},
    {"adaptive", "hdr_enhance", "planes_enhance"},
    {"pipeline"},
    {"enhance"},
    {"detail"},
    {"backends"},
    {"cuda", "engines"},
    {"sinks"},
    {"sources"},
    {"brightness", "gain", "look", "memory", "smoothing", "tiles"},
    {"view"},
    {"models"},
    {"facts", "frame", "hdr"},
    {"color", "color_names", "errors", "thread_priority", "urls"},
]
"""From top to bottom. A module imports from its own unit and from the layers below it."""

ONLY_IN: dict[str, set[str]] = {
    "av": {"sources", "sinks", "training/video_coding.py"},
    "openvino": {"backends/openvino.py", "backends/openvino_int8.py"},
    "nncf": {"backends/openvino_int8.py"},
    "torch": {
        "backends/cuda.py",
        "backends/torch.py",
        "cuda",
        "backends/torch_cuda.py",
        "engines/torch_compiler.py",
        "engines/torch_modules.py",
        "models/gladnet.py",
        "models/meter.py",
        "models/srgb.py",
        "models/detail_nhwc.py",
        "models/weights.py",
        "models/export.py",
        "training",
        "evaluation",
    },
    "triton": {"cuda"},
    "safetensors": {"models/weights.py", "training"},
    "onnx": {"models/export.py", "engines/graphs.py"},
    "filelock": {"engines/store.py"},
    "onnxscript": {"models/export.py"},
    "typer": {"cli"},
    "rich": {"cli"},
    "PIL": {"sources", "sinks"},
    "pygame": {"sinks/preview.py", "sinks/preview_overlay.py", "sinks/preview_window.py"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "aiortc": {"web"},
    "prometheus_client": {"web"},
    "pyvirtualcam": {"sinks/virtual_camera.py"},
    "cv2": {"evaluation", "cli/evaluate.py", "sources/camera_opencv.py"},
}
"""Where a package may be imported; in these folders or files of streamlight and nowhere else."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def imported_by(path: Path) -> tuple[str, ...]:
    """Full names that a module imports, anywhere in it; no import is relative."""
    return tuple(_imported_by(path))


def _imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            if node.module == "streamlight":
                yield from (f"streamlight.{alias.name}" for alias in node.names)
            else:
                yield node.module


def unit_of(path: Path) -> str:
    """The package of streamlight, or its single module, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(unit: str) -> int:
    for number, layer in enumerate(LAYERS):
        if unit in layer:
            return number
    raise AssertionError(f"streamlight.{unit} has no place in LAYERS of {Path(__file__).name}")


def units_imported_by(path: Path) -> set[str]:
    names = (name.split(".") for name in imported_by(path))
    return {name[1] for name in names if name[0] == "streamlight" and name[1:]} - {"__version__"}


def relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", modules(), ids=relative)
def test_arrows_point_down_only(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return  # names the modules of the public names, and imports none of them
    unit = unit_of(path)
    for other in units_imported_by(path) - {unit}:
        assert layer_of(other) > layer_of(unit), f"{relative(path)} imports streamlight.{other}"


def test_the_pipeline_sees_plain_data_only() -> None:
    for path in (PACKAGE / "pipeline").glob("*.py"):
        assert units_imported_by(path) <= {"pipeline", "frame", "errors"}, relative(path)


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_heavy_package_is_imported_in_its_place_only(package: str) -> None:
    for path in modules():
        if any(name.split(".")[0] == package for name in imported_by(path)):
            places = {path.relative_to(PACKAGE).parts[0], relative(path)}
            assert places & ONLY_IN[package], f"{relative(path)} imports {package}"


def loaded_by(statement: str) -> set[str]:
    """Names of the packages that are loaded after a statement, in a process of its own."""
    program = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import streamlight", {"torch", "openvino", "cv2", "av", "onnx", "typer", "rich"}),
        ("import streamlight.cli", {"torch", "openvino", "cv2", "av", "onnx"}),
        ("import streamlight.pipeline", {"torch", "openvino", "cv2", "av"}),
        ("import streamlight.sources, streamlight.sinks", {"torch", "openvino", "cv2"}),
        ("import streamlight.enhance", {"torch", "openvino", "cv2", "av"}),
        ("import streamlight.api", {"torch", "openvino", "cv2"}),
        ("import streamlight.training, streamlight.training.options", {"torch", "cv2", "av"}),
        ("import streamlight.models.own", {"torch", "safetensors", "openvino", "av"}),
        ("import streamlight.backends.openvino", {"torch", "cv2", "av"}),
        ("import streamlight.engines", {"torch", "onnx", "filelock", "tensorrt_rtx", "tensorrt"}),
        ("from streamlight import Frame, Look, UsageError", {"torch", "openvino", "cv2", "av"}),
    ],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, heavy: set[str]) -> None:
    loaded = loaded_by(statement)
    assert "streamlight" in loaded
    assert not loaded & heavy


def test_the_public_names_are_the_documented_ones_and_each_is_there() -> None:
    assert streamlight.__all__ == PUBLIC
    assert dir(streamlight) == sorted(PUBLIC)
    for name in PUBLIC:
        value = getattr(streamlight, name)
        home = getattr(value, "__module__", "streamlight")
        assert home.startswith("streamlight"), name
        assert value is not None
    with pytest.raises(AttributeError, match="module 'streamlight' has no attribute 'Nothing'"):
        _ = streamlight.Nothing
