"""The description of the API, as OpenAPI 3.1; a test compares it with the answers."""

from __future__ import annotations

from typing import Any

from streamlight import __version__
from streamlight.cameras.controls import MOST_SMOOTHING_S
from streamlight.sources.reconnect import LivePhase

_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string"}
_NAME = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_VIEWER = {"name": "viewer", "in": "path", "required": True, "schema": _TEXT}
_VIEW = [
    {
        "name": "rows",
        "in": "query",
        "description": "Most rows of the picture.",
        "schema": {"type": "integer", "minimum": 16},
    },
    {
        "name": "compare",
        "in": "query",
        "description": "1 for the input above the result, in a picture of twice the height.",
        "schema": {"enum": ["0", "1"]},
    },
]


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any], description: str = "done") -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _operation(
    summary: str, answers: dict[str, Any], *, needs_token: bool = True, **more: Any
) -> dict[str, Any]:
    refusals = dict(_REFUSALS)
    if "requestBody" in more:
        refusals |= _BODY_REFUSALS
    if not needs_token:
        del refusals["401"]
        more["security"] = [{}]
    return {"summary": summary, "responses": refusals | answers, **more}


_FAULT = _json(_ref("Fault"), "why it was not done")
_REFUSALS = {
    "401": _json(_ref("Fault"), "the token is missing or wrong"),
    "403": _json(_ref("Fault"), "the request is another site's"),
    "413": _json(_ref("Fault"), "the request is too large"),
    "421": _json(_ref("Fault"), "the page is not served under that name"),
}
"""Of the guard before all of them."""
_BODY_REFUSALS = {
    "400": _json(_ref("Fault"), "the body is no JSON"),
    "415": _json(_ref("Fault"), "the body is of another type than application/json"),
}
_NO_CAMERA = {"404": _FAULT}
_CONTROL_VALUES = {
    "strength": {"type": "number", "minimum": 0, "maximum": 1},
    "exposure_ev": {"type": "number", "minimum": -5, "maximum": 5},
    "smoothing_s": {"type": "number", "minimum": 0, "maximum": MOST_SMOOTHING_S},
}


def _schemas() -> dict[str, Any]:
    quantiles = {name: _NUMBER for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")}
    return {
        "Fault": _object(error=_TEXT),
        "Controls": _object(**_CONTROL_VALUES),
        "Quantiles": _object(frames=_COUNT, **quantiles),
        "Latency": _object(
            frames=_COUNT,
            **quantiles,
            recent=_ref("Quantiles"),
            parts={"type": "object", "additionalProperties": _ref("Quantiles")},
        ),
        "Output": _object(
            name=_TEXT,
            frames_out=_COUNT,
            frames_dropped=_COUNT,
            latency=_ref("Quantiles"),
            failure=_or_null(_TEXT),
        ),
        "Camera": _object(
            name=_TEXT,
            source=_TEXT,
            phase={"enum": [phase.value for phase in LivePhase]},
            reason=_TEXT,
            since=_NUMBER,
            width=_or_null(_COUNT),
            height=_or_null(_COUNT),
            source_fps=_or_null(_NUMBER),
            fps=_NUMBER,
            latency=_or_null(_ref("Latency")),
            frames_in=_COUNT,
            frames_out=_COUNT,
            drops={"type": "object", "additionalProperties": _COUNT},
            reconnects=_COUNT,
            restarts=_COUNT,
            process_factor={"type": "integer", "minimum": 1},
            advice=_or_null(_TEXT),
            outputs=_list(_ref("Output")),
            files=_list(_TEXT),
            files_count=_COUNT,
            notes=_list(_TEXT),
            viewers=_COUNT,
            controls=_ref("Controls"),
        ),
        "Sample": _object(time=_NUMBER, fps=_NUMBER, latency_ms=_or_null(_NUMBER), drops=_COUNT),
    }


def _camera_paths() -> dict[str, Any]:
    camera = "/api/cameras/{name}"
    jpeg = {"description": "a picture", "content": {"image/jpeg": {}}}
    series = {"description": "a series of JPEGs", "content": {"multipart/x-mixed-replace": {}}}
    change = {
        "type": "object",
        "properties": _CONTROL_VALUES,
        "additionalProperties": False,
    }
    return {
        camera: {
            "parameters": [_NAME],
            "get": _operation("One camera.", {"200": _json(_ref("Camera"))} | _NO_CAMERA),
        },
        f"{camera}/history": {
            "parameters": [_NAME],
            "get": _operation(
                "Its figures of the last minutes, one sample a second.",
                {"200": _json(_object(samples=_list(_ref("Sample"))))} | _NO_CAMERA,
            ),
        },
        f"{camera}/controls": {
            "parameters": [_NAME],
            "patch": _operation(
                "Change how its pictures look; what is not named stays.",
                {"200": _json(_ref("Controls")), "422": _FAULT} | _NO_CAMERA,
                requestBody=_json(change) | {"required": True},
            ),
        },
        f"{camera}/snapshot.jpg": {
            "parameters": [_NAME, *_VIEW],
            "get": _operation("The newest picture.", {"200": jpeg, "503": _FAULT} | _NO_CAMERA),
        },
        f"{camera}/mjpeg": {
            "parameters": [_NAME, *_VIEW],
            "get": _operation(
                "Live pictures without WebRTC.", {"200": series, "503": _FAULT} | _NO_CAMERA
            ),
        },
        f"{camera}/offer": {
            "parameters": [_NAME],
            "post": _operation(
                "Live pictures by WebRTC: an SDP offer with all its candidates, and its answer.",
                {
                    "200": _json(_object(viewer=_TEXT, type={"const": "answer"}, sdp=_TEXT)),
                    "422": _FAULT,
                    "503": _FAULT,
                }
                | _NO_CAMERA,
                requestBody=_json(
                    {
                        "type": "object",
                        "properties": {
                            "sdp": _TEXT,
                            "compare": {"type": "boolean"},
                            "rows": {"type": "integer", "minimum": 16},
                        },
                        "required": ["sdp"],
                    }
                )
                | {"required": True},
            ),
        },
    }


def document() -> dict[str, Any]:
    """Return the description as plain data."""
    done = {"204": {"description": "done"}, "404": _FAULT}
    wish = {
        "type": "object",
        "properties": {
            "compare": {"type": "boolean"},
            "rows": {"type": "integer", "minimum": 16},
        },
    }
    health = _object(
        status={"enum": ["ok", "failed"]},
        cameras={"type": "object", "additionalProperties": _COUNT},
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "streamlight", "version": __version__},
        "paths": {
            "/healthz": {
                "get": _operation(
                    "Whether any camera is connected, or may still come.",
                    {"200": _json(health), "503": _json(health, "all have failed or ended")},
                    needs_token=False,
                )
            },
            "/metrics": {
                "get": _operation(
                    "All figures for Prometheus.",
                    {"200": {"description": "metrics", "content": {"text/plain": {}}}},
                )
            },
            "/api/info": {
                "get": _operation(
                    "What runs.",
                    {
                        "200": _json(
                            _object(
                                version=_TEXT,
                                model=_TEXT,
                                backend=_TEXT,
                                device=_TEXT,
                                precision=_TEXT,
                            )
                        )
                    },
                )
            },
            "/api/cameras": {
                "get": _operation(
                    "All cameras.", {"200": _json(_object(cameras=_list(_ref("Camera"))))}
                )
            },
            "/api/events": {
                "get": _operation(
                    "The answer of /api/cameras, twice a second, as server-sent events.",
                    {"200": {"description": "events", "content": {"text/event-stream": {}}}},
                )
            },
            **_camera_paths(),
            "/api/viewers/{viewer}": {
                "parameters": [_VIEWER],
                "patch": _operation(
                    "Change what a WebRTC viewer gets.",
                    done | {"422": _FAULT},
                    requestBody=_json(wish) | {"required": True},
                ),
                "delete": _operation(
                    "Send a WebRTC viewer away, if it has not gone.", {"204": done["204"]}
                ),
            },
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "address": {"type": "apiKey", "in": "query", "name": "token"},
            },
        },
        "security": [{}, {"token": []}, {"address": []}],
    }
