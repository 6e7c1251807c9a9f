"""Engines on disk: whole or refused, with the reason."""

import json
import subprocess
import sys
import threading
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from engine_parts import IDENTITY, PLAN, filled_store, make_record

from streamlight.engines import EngineIdentity, EngineStore, Verification, default_folder
from streamlight.errors import BackendUnavailableError, EngineError, UsageError


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    store = filled_store(tmp_path / "new" / "folder")
    record, plan = store.load(IDENTITY)
    assert plan == PLAN
    assert record == make_record()
    names = sorted(path.name for path in store.folder.iterdir() if path.name[0] != ".")
    assert names == [f"{IDENTITY.name}.json", f"{IDENTITY.name}.plan"]
    assert not list(store.folder.glob(".*.partial"))


def test_a_missing_engine_makes_auto_go_on() -> None:
    assert issubclass(EngineError, BackendUnavailableError)


@pytest.mark.parametrize("field", [field.name for field in fields(EngineIdentity)])
def test_everything_in_the_identity_is_checked(tmp_path: Path, field: str) -> None:
    store = filled_store(tmp_path)
    is_list = isinstance(getattr(IDENTITY, field), tuple)
    other: Any = ("other",) if is_list else "other"
    wanted = replace(IDENTITY, **{field: other})
    assert wanted.key != IDENTITY.key
    with pytest.raises(EngineError, match="no engine for"):
        store.load(wanted)
    # and where another engine lies under the very name
    for ending in (".json", ".plan"):
        (tmp_path / f"{IDENTITY.name}{ending}").rename(tmp_path / f"{wanted.name}{ending}")
    with pytest.raises(EngineError, match=f"is another engine: {field} is .*, expected other"):
        store.load(wanted)
    assert "its record is that of" in store.check(wanted.name).problem


def test_the_nearest_engine_tells_why_it_does_not_serve(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    with pytest.raises(EngineError) as caught:
        store.load(replace(IDENTITY, version="1.8"))
    assert "the nearest one differs: version is 1.7.1.116, expected 1.8" in str(caught.value)


@pytest.mark.parametrize("place", [*range(0, 100_000, 2_437), 99_999])
def test_a_flipped_bit_anywhere_in_the_plan_is_found(tmp_path: Path, place: int) -> None:
    store = filled_store(tmp_path)
    damaged = bytearray(PLAN)
    damaged[place] ^= 1 << place % 8
    (tmp_path / f"{IDENTITY.name}.plan").write_bytes(damaged)
    with pytest.raises(EngineError, match="is damaged: its SHA-256 is wrong; build it anew"):
        store.load(IDENTITY)


@pytest.mark.parametrize("length", [0, 1, 50_000, 99_999, 100_001])
def test_a_plan_of_another_length_is_found(tmp_path: Path, length: int) -> None:
    store = filled_store(tmp_path)
    (tmp_path / f"{IDENTITY.name}.plan").write_bytes((PLAN + b"\0")[:length])
    with pytest.raises(EngineError, match=f"has {length} bytes, expected 100000"):
        store.load(IDENTITY)
    assert "build it anew" in store.check(IDENTITY.name).problem


def test_damage_anywhere_in_the_record_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    path = tmp_path / f"{IDENTITY.name}.json"
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 7
        path.write_bytes(damaged)
        try:
            record, plan = store.load(IDENTITY)
        except EngineError:
            refused += 1
        else:
            assert (record, plan) == (make_record(), PLAN)  # a space became a tab
    assert refused > 0.75 * len(whole)
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(EngineError, match="damaged"):
            store.load(IDENTITY)


@pytest.mark.parametrize(
    "text",
    [b"[]", b"null", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"format": 1, "record_sha256": ""}'],
)
def test_a_record_that_is_none_is_refused(tmp_path: Path, text: bytes) -> None:
    store = filled_store(tmp_path)
    (tmp_path / f"{IDENTITY.name}.json").write_bytes(text)
    with pytest.raises(EngineError, match="its record"):
        store.load(IDENTITY)


def test_a_record_of_another_format_is_refused(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    path = tmp_path / f"{IDENTITY.name}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(EngineError, match="has the format 2, expected 1"):
        store.load(IDENTITY)


def test_a_plan_without_its_record_is_no_engine(tmp_path: Path) -> None:
    """So a process that was killed between the two files leaves nothing that is used."""
    store = filled_store(tmp_path)
    (tmp_path / f"{IDENTITY.name}.json").unlink()
    assert store.list() == []
    with pytest.raises(EngineError, match="no engine for reconstruct of gladnet-fast"):
        store.load(IDENTITY)


def test_verification_is_noted(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    assert str(store.find(IDENTITY).verification) == "not verified yet"
    store.mark_verified(IDENTITY, Verification("RTX 4090", 61.25, 5))
    assert "RTX 4090: 61.2 dB at worst, 5 frames" in str(store.find(IDENTITY).verification)
    assert store.load(IDENTITY)[1] == PLAN


def test_engines_are_removed(tmp_path: Path) -> None:
    store = filled_store(tmp_path)
    assert store.remove(IDENTITY.name) > len(PLAN)
    assert store.list() == []
    with pytest.raises(UsageError, match="no such engine"):
        store.remove(IDENTITY.name)


@pytest.mark.parametrize("name", ["../other", "a/b", ".hidden", "", "/etc/passwd"])
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of an engine"):
        filled_store(tmp_path).remove(name)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    store = EngineStore(Path("/proc/no"))
    with (
        pytest.raises(EngineError, match="cannot make the folder /proc/no"),
        store.locked(IDENTITY),
    ):
        pass


def test_the_folder_is_in_the_cache_or_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("STREAMLIGHT_ENGINE_DIR", raising=False)
    assert default_folder() == tmp_path / "streamlight" / "engines"
    monkeypatch.setenv("STREAMLIGHT_ENGINE_DIR", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"


def test_who_waits_too_long_for_another_builder_is_told(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.locked(IDENTITY):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert entered.wait(30)
        with pytest.raises(EngineError, match="another process"), store.locked(IDENTITY, 0.05):
            pass
    finally:
        leave.set()
        thread.join()


TWO_BUILDERS = """
import hashlib, sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from engine_parts import IDENTITY, make_record
from streamlight.engines import EngineStore
from streamlight.errors import EngineError

store = EngineStore(Path(sys.argv[1]))
built = 0
for turn in range(30):
    identity = replace(IDENTITY, version=str(turn))
    with store.locked(identity):
        try:
            record, plan = store.load(identity)
            assert plan[:1] == bytes([turn])
        except EngineError:
            plan = bytes([turn]) * 200_000
            store.save(make_record(identity, plan), plan)
            built += 1
print(built)
"""


def test_two_processes_that_build_at_once_build_each_engine_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TWO_BUILDERS, str(tmp_path), str(Path(__file__).parent)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    built = 0
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        built += int(out)
    assert built == 30
    listed = EngineStore(tmp_path).list()
    assert len(listed) == 30
    assert not [engine.problem for engine in listed if engine.problem]
