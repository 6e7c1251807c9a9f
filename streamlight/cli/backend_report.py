"""What ran the network, for the JSON reports."""

from collections.abc import Iterable
from typing import Any

from streamlight.backends import BackendInfo
from streamlight.backends.hot_swap import Swap


def backend_dict(info: BackendInfo, reason: str, swaps: Iterable[Swap]) -> dict[str, Any]:
    """Return the backend in use as plain data, and what was to take over from another one."""
    return {
        "name": info.backend,
        "device": info.device,
        "precision": info.precision,
        "reason": reason,
        "swaps": [
            {
                "to": swap.to,
                "width": swap.width,
                "height": swap.height,
                "at_s": swap.at_s,
                "after_frames": swap.after_frames,
                "build_s": swap.build_s,
                "failure": swap.failure or None,
            }
            for swap in swaps
        ],
    }
