"""A folder of engines: written whole or not at all, and checked before they are given out.

An engine is `<name>.plan` with `<name>.json`. Nothing in them is executed by reading them, but a
plan holds code for the GPU, so the folder must be as trustworthy as the program itself; the
checksums are against damage, not against malice.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamlight.engines.identity import EngineIdentity
from streamlight.engines.record import EngineRecord, Verification
from streamlight.errors import BackendUnavailableError, EngineError, UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

FOLDER_VARIABLE = "STREAMLIGHT_ENGINE_DIR"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_MOST_RECORD_BYTES = 1_000_000


def default_folder() -> Path:
    """Return where engines are kept: $STREAMLIGHT_ENGINE_DIR, else in the user's cache."""
    if given := os.environ.get(FOLDER_VARIABLE):
        return Path(given)
    import platformdirs  # a plain checkout on a GPU machine has none

    return platformdirs.user_cache_path("streamlight") / "engines"


@dataclass(frozen=True, slots=True)
class Listed:
    """What lies in the folder under one name.

    Attributes:
        name: of the files.
        record: None where it is damaged.
        problem: what keeps the engine from being used, as far as can be told without a GPU.
    """

    name: str
    record: EngineRecord | None
    problem: str = ""


class EngineStore:
    """The engines in one folder; several processes may use it at once."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use a folder, which is made when something is written; None for `default_folder`."""
        self.folder = default_folder() if folder is None else folder

    @contextmanager
    def locked(self, identity: EngineIdentity, timeout_s: float = 3600) -> Iterator[None]:
        """Keep other processes from building the same engine.

        Raises:
            EngineError: the folder cannot be written to, or another process took longer.
        """
        from filelock import Timeout

        lock = self._lock(identity.name)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise EngineError(
                f"another process has been building {identity.name} for {timeout_s:g} s; "
                "wait for it, or end it"
            ) from error
        except OSError as error:
            raise EngineError(f"cannot write to {self.folder}: {error.strerror}") from error
        try:
            yield
        finally:
            lock.release()

    def save(self, record: EngineRecord, plan: bytes) -> None:
        """Write an engine; call it within `locked`. The record comes last, and tells it is whole.

        Raises:
            EngineError: the folder cannot be written to.
        """
        name = record.identity.name
        try:
            self._path(name, ".json").unlink(missing_ok=True)
            self._write(self._path(name, ".plan"), plan)
            self._write(self._path(name, ".json"), record.to_json().encode())
        except OSError as error:
            raise EngineError(
                f"cannot write the engine to {self.folder}: {error.strerror}"
            ) from error

    def find(self, identity: EngineIdentity) -> EngineRecord:
        """Read the record of an engine; the plan is not looked at.

        Raises:
            EngineError: there is none, or not with this identity; the message says what differs.
        """
        path = self._path(identity.name, ".json")
        try:
            record = self._read_record(path)
        except FileNotFoundError:
            raise EngineError(self._why_missing(identity)) from None
        if differences := identity.differences(record.identity):
            raise EngineError(f"{path} is another engine: {'; '.join(differences)}")
        return record

    def load(self, identity: EngineIdentity) -> tuple[EngineRecord, bytes]:
        """Read an engine whose identity and checksum are right.

        Raises:
            EngineError: there is none, it is another one, or it is damaged.
        """
        record = self.find(identity)
        return record, self._read_plan(identity.name, record)

    def mark_verified(self, identity: EngineIdentity, verification: Verification) -> EngineRecord:
        """Note that an engine was compared with FP32; call it within `locked`.

        Raises:
            EngineError: as `find` and `save`.
        """
        record = replace(self.find(identity), verification=verification)
        try:
            self._write(self._path(identity.name, ".json"), record.to_json().encode())
        except OSError as error:
            raise EngineError(f"cannot write to {self.folder}: {error.strerror}") from error
        return record

    def list(self) -> list[Listed]:
        """List the engines by name, with what is wrong with them."""
        return [self.check(path.stem) for path in sorted(self.folder.glob("[!.]*.json"))]

    def check(self, name: str) -> Listed:
        """Read an engine by the name of its files, and check its record and its plan.

        Raises:
            UsageError: there is no such engine.
        """
        record = None
        try:
            record = self._read_record(self._path(name, ".json"))
            if record.identity.name != name:
                raise EngineError(f"its record is that of {record.identity.name}")
            self._read_plan(name, record)
        except FileNotFoundError:
            raise UsageError(f"{name}: no such engine in {self.folder}") from None
        except EngineError as error:
            return Listed(name, record, str(error))
        return Listed(name, record)

    def remove(self, name: str) -> int:
        """Remove an engine; return the bytes that were freed.

        Raises:
            UsageError: there is no such engine.
            EngineError: it cannot be removed.
        """
        freed = 0
        paths = [self._path(name, ending) for ending in (".json", ".plan")]
        if not any(path.exists() for path in paths):
            raise UsageError(f"{name}: no such engine in {self.folder}")
        try:
            with self._lock(name):
                for path in paths:
                    if path.exists():
                        freed += path.stat().st_size
                        path.unlink()
        except OSError as error:
            raise EngineError(f"cannot remove {name}: {error.strerror}") from error
        return freed

    def fitting(
        self, identity: EngineIdentity, compute: str, takes: Callable[[str], bool]
    ) -> EngineIdentity | None:
        """Return a good engine that serves as well: for more sizes, or for more GPUs.

        Args:
            identity: of the engine that would be built.
            compute: capability of the GPU.
            takes: whether the sizes of an engine include the one that is wanted.
        """
        found = [
            theirs
            for listed in self.list()
            if listed.record is not None
            and not listed.problem
            and (theirs := listed.record.identity)
            and replace(theirs, sizes=identity.sizes, compute=identity.compute) == identity
            and (compute in theirs.compute or not theirs.compute)
            and takes(theirs.sizes)
        ]
        # one made for just this size is the fastest
        return min(found, key=lambda i: (".." in i.sizes, len(i.compute)), default=None)

    def kernel_cache(self, identity: EngineIdentity, gpu: str) -> Path:
        """Return the file of the kernels that RTX compiled for an engine on a kind of GPU."""
        kind = re.sub(r"\W+", "_", gpu)
        return self.folder / f".{identity.name}-{kind}.kernels"

    def timing_cache(self, flavour: str, version: str, gpu: str) -> Path:
        """Return the file in which a builder keeps what it measured on one kind of GPU."""
        parts = (re.sub(r"\W+", "_", part) for part in (flavour, version, gpu))
        return self.folder / f".{'-'.join(parts)}.timing"

    def _read_record(self, path: Path) -> EngineRecord:
        try:
            if path.stat().st_size > _MOST_RECORD_BYTES:
                raise EngineError(f"{path}: far too large for a record; remove it")
            return EngineRecord.from_json(path.read_bytes())
        except FileNotFoundError:
            raise
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}") from error
        except EngineError as error:
            raise EngineError(f"{path}: {error}; build it anew") from error

    def _read_plan(self, name: str, record: EngineRecord) -> bytes:
        path = self._path(name, ".plan")
        try:
            plan = path.read_bytes()
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}; build it anew") from error
        if len(plan) != record.plan_bytes:
            raise EngineError(
                f"{path} has {len(plan)} bytes, expected {record.plan_bytes}; build it anew"
            )
        if hashlib.sha256(plan).hexdigest() != record.plan_sha256:
            raise EngineError(f"{path} is damaged: its SHA-256 is wrong; build it anew")
        return plan

    def _why_missing(self, identity: EngineIdentity) -> str:
        """Say that there is no such engine, and what differs in the one that comes nearest."""
        purpose = (identity.model, identity.graph, identity.flavour)
        others = [
            identity.differences(listed.record.identity)
            for listed in self.list()
            if listed.record is not None
            and (i := listed.record.identity)
            and (i.model, i.graph, i.flavour) == purpose
        ]
        what = f"no engine for {identity.graph} of {identity.model} at {identity.sizes}"
        nearest = min(others, key=len, default=[])
        why = f"; the nearest one differs: {'; '.join(nearest)}" if nearest else ""
        return f"{what} in {self.folder}{why}"

    def _path(self, name: str, ending: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of an engine; `streamlight engines` lists them")
        return self.folder / f"{name}{ending}"

    def _lock(self, name: str) -> "BaseFileLock":
        try:
            from filelock import FileLock
        except ImportError as error:
            raise BackendUnavailableError(
                f"engines need filelock ({error}): pip install filelock"
            ) from error
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"cannot make the folder {self.folder}: {error.strerror}") from error
        return FileLock(self.folder / f".{name}.lock")

    def _write(self, path: Path, data: bytes) -> None:
        """Write beside the target, and rename: a reader sees all of it or nothing."""
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".partial")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).replace(path)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
