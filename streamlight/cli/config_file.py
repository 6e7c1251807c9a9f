"""The file of `streamlight run`: cameras, network and page in TOML."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamlight.backends import BACKENDS
from streamlight.cameras.group import check_together
from streamlight.cameras.spec import CameraSpec
from streamlight.cli.camera_options import OPTIONS, camera_spec, say_value
from streamlight.cli.toml_lines import Place, lines_of
from streamlight.errors import ModelError, UsageError
from streamlight.models.own import find_model
from streamlight.urls import hide, mask_text
from streamlight.web.settings import TOKEN_VARIABLE, WebSettings

_VARIABLE = re.compile(r"\$\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration file says.

    Attributes:
        cameras: at least one.
        network: keyword arguments of `CameraGroup`: model, backend, device, precision,
            engine_dir.
        web: how the live page is served; None for no page.
    """

    cameras: tuple[CameraSpec, ...]
    network: Mapping[str, Any]
    web: WebSettings | None = None


class ConfigError(UsageError):
    """A configuration file is wrong.

    Attributes:
        faults: one line each, with file, line and key.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        """Hold all faults of a file."""
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def read_config(path: Path, variables: Mapping[str, str] | None = None) -> Config:
    """Read and check a configuration file.

    Args:
        path: of the file.
        variables: for `${NAME}` in its texts; None for those of the environment.

    Raises:
        ConfigError: it cannot be read, or is wrong. No value of a variable is in its faults.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError([f"{path}: is no text in UTF-8; expected TOML"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror})"]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: {_at_line(error)}"]) from error
    reader = _Reader(data, lines_of(text), os.environ if variables is None else variables)
    config = reader.read()
    if reader.faults or config is None:
        faults = sorted(reader.faults, key=lambda fault: fault.line)
        raise ConfigError([f"{path}:{fault.line}: {fault.text}" for fault in faults])
    return config


def _at_line(error: tomllib.TOMLDecodeError) -> str:
    """Say "line 3: Expected '=' after a key (column 5)"."""
    match = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error))
    return f"line {match[2]}: {match[1]} (column {match[3]})" if match else str(error)


@dataclass(frozen=True, slots=True)
class _Fault:
    line: int
    text: str


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"expected text in quotes, got {say_value(value)}")
    return value


def _secret(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("expected text in quotes")  # without what it was
    return value


def _model(value: Any) -> str:
    """Read a model of the package, of the models folder, or the path of weights."""
    name = _text(value)
    try:
        if name != "auto":
            find_model(name)
    except (ModelError, UsageError) as error:
        raise UsageError(str(error).removeprefix(f"--model {name}: ")) from error
    return name


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise UsageError(f"expected a whole number, got {say_value(value)}")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise UsageError(f"expected a list of names, got {say_value(value)}")
    return tuple(_text(one) for one in value)


def _one_of(names: list[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in names:
            raise UsageError(f"expected one of {', '.join(names)}, got {say_value(value)}")
        return str(value)

    return read


_NETWORK: dict[str, Callable[[Any], Any]] = {
    "model": _model,
    "backend": _one_of(["auto", *BACKENDS]),
    "device": _text,
    "precision": _one_of(["fp32", "bf16", "fp16", "int8"]),
    "engine_dir": lambda value: Path(_text(value)),
}
_WEB: dict[str, Callable[[Any], Any]] = {
    "port": _whole,
    "host": _text,
    "token": _secret,
    "allowed_hosts": _texts,
    "max_viewers": _whole,
    "view_rows": _whole,
}
_CAMERA = {name: option.read for name, option in OPTIONS.items()}
_TABLES = ("network", "defaults", "camera", "web")


@dataclass(slots=True)
class _Reader:
    """Gathers the faults of a file instead of stopping at the first."""

    data: Mapping[str, Any]
    lines: Mapping[Place, int]
    variables: Mapping[str, str]
    faults: list[_Fault] = field(default_factory=list)

    def read(self) -> Config | None:
        for key in self.data:
            if key not in _TABLES:
                self._unknown((key,), key, _TABLES)
        network = self._values(("network",), self._table("network"), _NETWORK)
        defaults = self._values(("defaults",), self._table("defaults"), _CAMERA)
        if "source" in defaults:
            self._fault(("defaults", "source"), "source: belongs to one [[camera]]")
        cameras = self._cameras(defaults)
        web = self._web()
        return None if self.faults else Config(tuple(cameras), network, web)

    def _table(self, key: str) -> Mapping[str, Any]:
        table = self.data.get(key, {})
        if isinstance(table, dict):
            return table
        self._fault((key,), f"{key}: expected a table; write [{key}] above its keys")
        return {}

    def _cameras(self, defaults: Mapping[str, Any]) -> list[CameraSpec]:
        tables = self.data.get("camera", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._fault(("camera",), "camera: write [[camera]], with two brackets, for each camera")
            return []
        if not tables:
            self._fault((), 'there is no camera; write [[camera]] with a name and a source = "..."')
        specs: list[CameraSpec] = []
        taken: dict[str, tuple[int, int]] = {}
        for number, table in enumerate(tables):
            place: Place = ("camera", number)
            values = self._values(place, table, _CAMERA | {"name": _text})
            name = values.pop("name", None)
            if "name" not in table:
                self._fault(place, 'name: is missing; write name = "..."')
            if "source" not in table:
                self._fault(place, 'source: is missing; write source = "..." with a URL or file')
            if name is None or "source" not in values:
                continue
            here = (number, self._line((*place, "name")))
            first, line = taken.setdefault(name.casefold(), here)
            if first != number:
                text = f'name: "{name}" is taken by the camera at line {line}'
                self._fault((*place, "name"), text)
            try:
                specs.append(camera_spec(name, {**defaults, **values}))
            except UsageError as error:
                self._fault(place, str(error))
        self._check_together(specs)
        return specs

    def _check_together(self, specs: Sequence[CameraSpec]) -> None:
        if specs and not self.faults:
            try:
                check_together(specs)
            except UsageError as error:
                self._fault(("camera",), str(error))

    def _web(self) -> WebSettings | None:
        if "web" not in self.data:
            return None
        values = self._values(("web",), self._table("web"), _WEB)
        if "token" not in values and self.variables.get(TOKEN_VARIABLE):
            values["token"] = self.variables[TOKEN_VARIABLE]
        try:
            return WebSettings(**values)
        except UsageError as error:
            self._fault(("web",), str(error).removeprefix("--"))
            return None

    def _values(
        self, place: Place, table: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key not in readers:
                self._unknown((*place, key), key, tuple(readers))
                continue
            expanded = self._expanded((*place, key), value)
            if expanded is None:
                continue
            try:
                values[key] = readers[key](expanded)
            except UsageError as error:
                is_secret = not isinstance(value, float) and expanded != value
                text = "makes no sense once its variables are filled in" if is_secret else error
                self._fault((*place, key), f"{key}: {text}")
        return values

    def _expanded(self, place: Place, value: Any) -> Any:
        """Fill in the variables of a text, or of a list of texts; None where one is missing."""
        if isinstance(value, list):
            expanded = [self._expanded(place, one) for one in value]
            return None if None in expanded else expanded
        if not isinstance(value, str):
            return value
        names = _VARIABLE.findall(value)
        if names and place[-1] == "name":
            self._fault(place, "name: takes no variables; it is shown to everybody")
            return None
        missing = [name for name in names if name not in self.variables]
        for name in missing:
            self._fault(place, f"{place[-1]}: the environment variable {name or '${}'} is not set")
        for name in names:
            login = "://" in value and "@" in value.partition("${" + name + "}")[2]
            if login and name not in missing and set("/?#@") & set(self.variables[name]):
                why = f"the value of {name} must be percent-encoded in a URL: it has / ? # @"
                self._fault(place, f"{place[-1]}: {why}")
                return None
        if missing:
            return None
        if "://" in value:
            for name in names:
                hide(self.variables[name])
        return _VARIABLE.sub(lambda match: self.variables[match[1]], value)

    def _unknown(self, place: Place, key: str, names: tuple[str, ...]) -> None:
        near = difflib.get_close_matches(key, names, 1)
        known = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
        self._fault(place, f"{key}: is unknown; {known}")

    def _fault(self, place: Place, text: str) -> None:
        self.faults.append(_Fault(self._line(place), mask_text(text)))

    def _line(self, place: Place) -> int:
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)
