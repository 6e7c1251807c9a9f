"""The checks of `streamlight doctor`: each one tries the thing itself."""

import base64
import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import platformdirs

from streamlight.backends import BACKENDS, CPU_MODEL, BackendRow, open_backend
from streamlight.cli.models import missing_files
from streamlight.enhance import Enhancer
from streamlight.errors import BackendUnavailableError, StreamlightError
from streamlight.models import MODELS, ModelSpec, graph_path, weights_path
from streamlight.models.packaged import int8_graph_path
from streamlight.sinks.encoder_table import ENCODERS

REQUIRED_ENCODER = "libx264"
DECODERS = ("h264", "hevc", "vp9", "av1", "mpeg2video")


_LIVE_PARTS = {
    "live page": (("starlette", "uvicorn", "aiortc", "prometheus_client"), "web"),
    "preview": (("pygame",), "preview"),
    "virtual camera": (("pyvirtualcam",), "virtualcam"),
}
"""By name: the packages that each needs, and the extra that brings them."""


class State(StrEnum):
    """What came of a check."""

    WORKS = "works"
    FAILS = "fails"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried.

    Attributes:
        name: of the thing.
        state: what came of it.
        detail: what works, or why not and what to install.
    """

    name: str
    state: State
    detail: str = ""


def check_all() -> dict[str, list[Check]]:
    """Try everything, in groups: backends, encoders, decoders, models, folders."""
    return {
        "backends": [check_backend(row) for row in BACKENDS.values()],
        **check_codecs(),
        "live parts": check_live_parts(),
        "models": [check_model(spec) for spec in MODELS.values()],
        "folders": [check_cache()],
    }


def can_work(groups: dict[str, list[Check]]) -> bool:
    """Whether `streamlight file` can work: a backend does, and so does the encoder."""
    working = {
        (group, check.name)
        for group, checks in groups.items()
        for check in checks
        if check.state is State.WORKS
    }
    has_backend = any(group == "backends" for group, _ in working)
    return has_backend and ("encoders", REQUIRED_ENCODER) in working


def check_live_parts() -> list[Check]:
    """Look for what only live outputs and sources need."""
    checks = []
    for name, (packages, extra) in _LIVE_PARTS.items():
        missing = [package for package in packages if find_spec(package) is None]
        install = f'pip install "streamlight[{extra}]" ({", ".join(missing)} missing)'
        checks.append(Check(name, State.MISSING, install) if missing else Check(name, State.WORKS))
    has_ffmpeg = shutil.which("ffmpeg") is not None
    state = State.WORKS if has_ffmpeg else State.MISSING
    return [*checks, Check("SRT", state, "" if has_ffmpeg else "install the program ffmpeg")]


def check_backend(row: BackendRow) -> Check:
    """Open a backend with the small model, and enhance a picture of 64x64."""
    if not row.is_installed:
        return Check(row.name, State.MISSING, row.install)
    picture = np.full((64, 64, 3), 20, np.uint8)
    model = MODELS[CPU_MODEL]
    try:
        with Enhancer(open_backend(row.name, model), model) as enhancer:
            if enhancer(picture).mean() <= picture.mean():
                return Check(row.name, State.FAILS, f"{enhancer.info} does not brighten")
            return Check(
                row.name,
                State.WORKS,
                f"{enhancer.info.precision.upper()} on {enhancer.info.device}",
            )
    except BackendUnavailableError as error:
        return Check(row.name, State.MISSING, str(error))
    except (StreamlightError, ImportError, OSError, RuntimeError) as error:
        return Check(row.name, State.FAILS, f"{type(error).__name__}: {error}")


def check_codecs() -> dict[str, list[Check]]:
    """Encode with every encoder, and look for every decoder."""
    try:
        from streamlight.sinks.encoders import has_decoder, probe_encoder
    except ImportError as error:
        absent = Check(REQUIRED_ENCODER, State.MISSING, f"pip install av ({error})")
        return {"encoders": [absent], "decoders": [], "on the GPU": []}
    encoders = []
    for name in ENCODERS:
        status = probe_encoder(name)
        present = State.FAILS if status.is_present else State.MISSING
        use = "what `streamlight file` writes" if name == REQUIRED_ENCODER else ""
        encoders.append(Check(name, State.WORKS if status.works else present, status.detail or use))
    decoders = [
        Check(name, State.WORKS)
        if has_decoder(name)
        else Check(name, State.MISSING, "not in this build of libav")
        for name in DECODERS
    ]
    return {"encoders": encoders, "decoders": decoders, "on the GPU": check_gpu_codecs()}


def check_gpu_codecs() -> list[Check]:
    """Decode with NVDEC and encode with NVENC pictures that lie on the GPU, for --hwaccel cuda."""
    from streamlight.sinks.encoders import probe_encoder
    from streamlight.sources.nvdec_probe import NVDEC_CODECS, probe_nvdec

    checks = []
    for codec in NVDEC_CODECS:
        reason = probe_nvdec(codec)
        state = State.MISSING if reason else State.WORKS
        checks.append(Check(f"NVDEC {codec}", state, reason))
    for name in ENCODERS:
        if name.endswith("_nvenc"):
            status = probe_encoder(name, "nv12", device=0)
            state = State.WORKS if status.works else State.MISSING
            checks.append(Check(f"NVENC {name}", state, status.detail))
    return checks


def check_model(spec: ModelSpec) -> Check:
    """Compare the files of a model with their SHA-256.

    The weights' is in the model's specification, the graphs' in the record that pip keeps of an
    installed wheel. A source tree has no such record; its graphs only have to be there.
    """
    missing = missing_files(spec)
    if missing:
        return Check(spec.name, State.MISSING, f"{', '.join(missing)}; reinstall streamlight")
    recorded = recorded_hashes()
    expected = {weights_path(spec): spec.weights_sha256}
    graphs = [graph_path(spec, graph) for graph in spec.graph_names]
    if (int8 := int8_graph_path(spec)) is not None:
        graphs += [int8, int8.with_suffix(".bin")]
    expected |= {path: recorded[path] for path in graphs if path in recorded}
    wrong = [path.name for path, sha256 in expected.items() if _sha256(path) != sha256]
    if wrong:
        detail = f"the SHA-256 of {', '.join(wrong)} is wrong; reinstall streamlight"
        return Check(spec.name, State.FAILS, detail)
    checked = "weights and graphs" if len(expected) > 1 else "weights"
    return Check(spec.name, State.WORKS, f"SHA-256 of the {checked} is right")


def recorded_hashes() -> dict[Path, str]:
    """Return the SHA-256 of the installed files of streamlight; none for a source tree."""
    try:
        files = metadata.files("streamlight") or []
    except metadata.PackageNotFoundError:
        return {}
    return {
        Path(str(file.locate())).resolve(): base64.urlsafe_b64decode(file.hash.value + "=").hex()
        for file in files
        if file.hash is not None and file.hash.mode == "sha256"
    }


def check_cache() -> Check:
    """Write into the folder where the compiled networks are kept."""
    folder = platformdirs.user_cache_path("streamlight")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        detail = f"{folder}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        return Check("cache", State.FAILS, detail)
    return Check("cache", State.WORKS, str(folder))


def cpu_name() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def core_count() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
