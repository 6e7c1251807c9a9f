"""What makes an engine the right one, all of which is checked before it is loaded."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from streamlight.errors import EngineError


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """All that an engine was built from and for, in texts.

    Attributes:
        model: name of the model.
        weights_sha256: of its weights.
        graph: which of its graphs.
        graph_sha256: of the packaged graph that the engine's was made of.
        sizes: as `Sizes` says them; "96x96" for `estimate`.
        precision: "fp16" or "fp32".
        pixels: "uint8" or "float32".
        flavour: of TensorRT.
        version: of the flavour.
        compute: compute capabilities it was built for, such as "8.6".
        gpu: on which it was built; empty where it was built for `compute` without one.
        driver: newest CUDA that the driver of that GPU has; likewise.
        compiler: what made the plan.
        options: of the build, "name=value".
        streamlight: its version.
    """

    model: str
    weights_sha256: str
    graph: str
    graph_sha256: str
    sizes: str
    precision: str
    pixels: str
    flavour: str
    version: str
    compute: tuple[str, ...]
    gpu: str
    driver: str
    compiler: str
    options: tuple[str, ...]
    streamlight: str

    @property
    def key(self) -> str:
        """A short text that differs where anything in the identity differs."""
        canonical = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The name of its files, without an ending."""
        sizes = self.sizes.replace("..", "-").replace("@", "-")
        parts = (self.model, self.graph, sizes, self.precision, self.flavour, self.key)
        return "-".join(parts)

    def differences(self, found: "EngineIdentity") -> list[str]:
        """Say what differs in another identity: "version is 1.6, expected 1.7"."""
        return [
            f"{field.name} is {_say(theirs)}, expected {_say(ours)}"
            for field in fields(self)
            if (ours := getattr(self, field.name)) != (theirs := getattr(found, field.name))
        ]

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read what `dataclasses.asdict` gave, after a way through JSON.

        Raises:
            EngineError: a field is missing, unknown, or no text.
        """
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            raise EngineError("its record does not have the fields of an identity")
        read: dict[str, Any] = {}
        for name, value in values.items():
            is_list = name in ("compute", "options")
            texts = value if is_list and isinstance(value, list) else [value]
            if is_list != isinstance(value, list) or not all(isinstance(t, str) for t in texts):
                raise EngineError(f"its record has no proper {name}")
            read[name] = tuple(texts) if is_list else value
        return cls(**read)


def _say(value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    return value or "nothing"
