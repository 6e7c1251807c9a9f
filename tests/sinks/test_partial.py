"""Files that get their names when they are complete, where the name is not a plain file."""

import os
import stat
from pathlib import Path

import pytest

from streamlight.errors import SinkError
from streamlight.sinks import partial
from streamlight.sinks.partial import PartialFile


def write(target: Path, *, overwrite: bool = False, path: Path | None = None) -> None:
    file = PartialFile(target, overwrite=overwrite, path=path)
    file.path.write_text("new")
    file.commit()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, is_there: bool) -> None:
    disk, here = tmp_path / "disk", tmp_path / "here"
    disk.mkdir()
    here.mkdir()
    if is_there:
        (disk / "real.mp4").write_text("old")
    (here / "link.mp4").symlink_to(disk / "real.mp4")
    write(here / "link.mp4", overwrite=is_there)
    assert (here / "link.mp4").is_symlink()
    assert (disk / "real.mp4").read_text() == "new"
    assert [path.name for path in here.iterdir()] == ["link.mp4"]
    assert [path.name for path in disk.iterdir()] == ["real.mp4"]


def test_a_link_to_a_file_is_kept_unless_overwriting_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "real.mp4").write_text("old")
    (tmp_path / "link.mp4").symlink_to("real.mp4")
    with pytest.raises(SinkError, match=r"link\.mp4: exists already; -y overwrites it"):
        PartialFile(tmp_path / "link.mp4", overwrite=False)


def test_a_link_into_a_missing_folder_names_the_folder(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(tmp_path / "gone" / "real.mp4")
    with pytest.raises(SinkError, match="gone: no such folder"):
        PartialFile(tmp_path / "link.mp4", overwrite=False)


def test_a_link_in_a_circle_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").symlink_to("b.mp4")
    (tmp_path / "b.mp4").symlink_to("a.mp4")
    with pytest.raises(SinkError, match=r"a\.mp4: "):
        PartialFile(tmp_path / "a.mp4", overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_pipe_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(SinkError, match=r"pipe\.mp4: is a pipe or a device"):
        PartialFile(pipe, overwrite=overwrite)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.mp4"]


def test_another_file_system_is_written_to_beside_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = tmp_path / "journal" / "joined.mp4"
    meanwhile.parent.mkdir()
    write(tmp_path / "one.mp4", path=meanwhile)
    monkeypatch.setattr(partial, "_is_one_disk", lambda one, other: False)
    file = PartialFile(tmp_path / "two.mp4", overwrite=False, path=meanwhile)
    assert file.path.parent == tmp_path
    file.discard()
