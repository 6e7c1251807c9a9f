"""Which files a batch takes, and what their outputs are called."""

import os
from pathlib import Path

import pytest

from streamlight.batch import FoundFile, expand_inputs, name_output, plan_batch
from streamlight.errors import SinkError, SourceError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people have them."""
    root = tmp_path / "clips"
    for name in (
        "clip10.mp4",
        "clip2.MP4",
        "clip2.bright.mp4",
        "notes.txt",
        ".hidden.mp4",
        ".clip2.77.partial.mp4",
        "photo.jpg",
        "raw.heic",
        "trip/a.mov",
        "trip/deep/b.mkv",
        ".cache/c.mkv",
        "out/clip2.mp4",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def names(files: list[FoundFile], root: Path) -> list[str]:
    return [file.path.relative_to(root).as_posix() for file in files]


def test_a_folder_gives_its_videos_and_pictures_in_natural_order(folder: Path) -> None:
    assert names(expand_inputs([folder]), folder) == ["clip2.MP4", "clip10.mp4", "photo.jpg"]


def test_folders_in_it_are_looked_into_on_request_but_that_of_the_outputs(folder: Path) -> None:
    found = expand_inputs([folder], recursive=True, leave_out=folder / "out")
    assert names(found, folder) == [
        "clip2.MP4",
        "clip10.mp4",
        "photo.jpg",
        "trip/a.mov",
        "trip/deep/b.mkv",
    ]
    assert {file.root for file in found} == {folder}


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "trip" / "loop").symlink_to(folder)
    assert "trip/loop/clip2.MP4" not in names(expand_inputs([folder], recursive=True), folder)


def test_a_file_that_is_named_is_taken_as_it_is_and_none_comes_twice(folder: Path) -> None:
    odd = [folder / "notes.txt", folder / "clip2.bright.mp4", folder / ".hidden.mp4"]
    found = expand_inputs([*odd, folder, folder / "clip10.mp4"])
    assert [file.path for file in found[:3]] == odd
    assert names(found[3:], folder) == ["clip2.MP4", "clip10.mp4", "photo.jpg"]
    assert found[0].root is None


def test_what_is_not_there_or_holds_nothing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.mp4: no such file or folder"):
        expand_inputs([folder / "gone.mp4"])
    empty = tmp_path / "empty"
    (empty / "trip").mkdir(parents=True)
    with pytest.raises(SourceError, match="holds no video and no picture; --recursive looks"):
        expand_inputs([empty])
    with pytest.raises(SourceError, match=r"holds no video and no picture$"):
        expand_inputs([empty], recursive=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_named(folder: Path) -> None:
    (folder / "trip").chmod(0)
    with pytest.raises(SourceError, match="trip: cannot be read"):
        expand_inputs([folder], recursive=True)


@pytest.mark.parametrize(
    ("source", "pattern", "output"),
    [
        ("night.mp4", "{stem}.bright{ext}", "night.bright.mp4"),
        ("night.avi", "{stem}.bright{ext}", "night.bright.mp4"),
        ("night.MKV", "{name}", "night.MKV"),
        ("photo.jpe", "{name}", "photo.jpg"),
        ("a.b.mov", "{stem}-{index:03}{ext}", "a.b-007.mov"),
        ("night.mp4", "{parent}_{name}", "clips_night.mp4"),
        ("night.mp4", "{parent}/{stem}.mkv", "clips/night.mkv"),
        ("night.mp4", "{{{stem}}}{ext}", "{night}.mp4"),
    ],
)
def test_a_pattern_names_the_output(tmp_path: Path, source: str, pattern: str, output: str) -> None:
    found = FoundFile(tmp_path / "clips" / source)
    assert name_output(found, tmp_path / "out", pattern, index=7) == tmp_path / "out" / output


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{title}{ext}", r"unknown \{title\}; choose of \{stem\}, \{ext\}"),
        ("{stem.__class__}{ext}", "unknown"),
        ("{stem!r}{ext}", "unknown"),
        ("{stem", "is no pattern"),
        ("{stem:d}{ext}", "is no pattern"),
        ("{stem}", "has no extension"),
        ("../{name}", "must name a file inside the output folder"),
        ("/out/{name}", "must name a file inside the output folder"),
        ("", "must name a file inside the output folder"),
    ],
)
def test_a_pattern_that_cannot_name_a_file_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        name_output(FoundFile(Path("night.mp4")), Path("out"), pattern)


def test_without_a_folder_the_output_lies_beside_its_input(tmp_path: Path) -> None:
    found = FoundFile(tmp_path / "night.mp4")
    assert name_output(found) == tmp_path / "night.bright.mp4"


def test_the_tree_of_a_folder_is_mirrored(folder: Path, tmp_path: Path) -> None:
    files = expand_inputs([folder], recursive=True, leave_out=folder / "out")
    jobs = plan_batch(files, tmp_path / "new", "{name}")
    assert [job.target.relative_to(tmp_path / "new").as_posix() for job in jobs] == [
        "clip2.MP4",
        "clip10.mp4",
        "photo.jpg",
        "trip/a.mov",
        "trip/deep/b.mkv",
    ]
    assert [job.number for job in jobs] == [1, 2, 3, 4, 5]


def test_one_output_for_two_inputs_is_refused(tmp_path: Path) -> None:
    one, other = (FoundFile(tmp_path / name / "night.mp4") for name in ("a", "b"))
    with pytest.raises(UsageError, match=r"output of both .*a/night\.mp4 and .*b/night\.mp4"):
        plan_batch([one, other], tmp_path / "out")
    jobs = plan_batch([one, other], tmp_path / "out", "{parent}-{name}")
    assert [job.target.name for job in jobs] == ["a-night.mp4", "b-night.mp4"]


def test_names_that_differ_in_case_only_are_one(tmp_path: Path) -> None:
    files = [FoundFile(tmp_path / "a" / "NIGHT.mp4"), FoundFile(tmp_path / "b" / "night.mp4")]
    with pytest.raises(UsageError, match="would be the output of both"):
        plan_batch(files, tmp_path / "out")


def test_an_output_that_is_an_input_is_refused(tmp_path: Path) -> None:
    files = [FoundFile(tmp_path / "a.mp4"), FoundFile(tmp_path / "a.bright.mp4")]
    with pytest.raises(UsageError, match=r"a\.bright\.mp4: is an input, and would be the output"):
        plan_batch(files)


def test_outputs_that_exist_are_refused_before_anything_starts(tmp_path: Path) -> None:
    files = [FoundFile(tmp_path / name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    for name in ("a.bright.mp4", "c.bright.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(SinkError, match=r"a\.bright\.mp4, and 1 more, exist already; -y overwr"):
        plan_batch(files)
    assert len(plan_batch(files, overwrite=True)) == 3
    assert len(plan_batch(files, skip_existing=True)) == 3
