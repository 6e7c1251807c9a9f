"""The JSON record beside a plan: its identity, its checksum, how it was built and verified."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from streamlight.engines.identity import EngineIdentity
from streamlight.errors import EngineError

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of comparing an engine with FP32.

    Attributes:
        gpu: on which it ran; empty where it was not verified yet.
        least_psnr_db: of the worst frame; None where every frame was the same, or not verified.
        frames: how many were compared; 0 where it was not verified yet.
    """

    gpu: str = ""
    least_psnr_db: float | None = None
    frames: int = 0

    @property
    def is_done(self) -> bool:
        """Whether the engine has run and was good."""
        return self.frames > 0

    def __str__(self) -> str:
        """Say it in a phrase."""
        if not self.is_done:
            return "not verified yet"
        psnr = "exact" if self.least_psnr_db is None else f"{self.least_psnr_db:.1f} dB"
        return f"verified on {self.gpu}: {psnr} at worst, {self.frames} frames"


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What is known of a built engine.

    Attributes:
        identity: what it is.
        plan_sha256: of the plan file.
        plan_bytes: its size.
        built_at: when, UTC, ISO 8601.
        build_s: how long it took.
        layers: how many layers of a kind give which type, such as {"convolution": {"half": 5}}.
        verification: against FP32.
        compiler_version: of what made the plan, where that is not TensorRT itself.
    """

    identity: EngineIdentity
    plan_sha256: str
    plan_bytes: int
    built_at: str
    build_s: float
    layers: dict[str, dict[str, int]] = field(default_factory=dict)
    verification: Verification = field(default_factory=Verification)
    compiler_version: str = ""

    def to_json(self) -> str:
        """Write it as JSON, with a checksum of its own."""
        values = {"format": FORMAT, **asdict(self)}
        return json.dumps({**values, "record_sha256": _checksum(values)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `to_json` wrote.

        Raises:
            EngineError: it is damaged, or of another version of streamlight.
        """
        try:
            values = json.loads(text)
            checksum = values.pop("record_sha256")
            version = values.pop("format")
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise EngineError("its record is damaged") from error
        if version != FORMAT:
            raise EngineError(f"its record has the format {version!r}, expected {FORMAT}")
        if checksum != _checksum({"format": version, **values}):
            raise EngineError("its record is damaged: the checksum is wrong")
        try:
            identity = EngineIdentity.from_json(values.pop("identity"))
            verification = Verification(**values.pop("verification"))
            return cls(identity=identity, verification=verification, **values)
        except (TypeError, KeyError, AttributeError) as error:
            raise EngineError("its record has other fields than expected") from error


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
