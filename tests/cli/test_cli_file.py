import os
from pathlib import Path

import pytest
from cli_runs import FAST, dark_clip, frames_of, has_sound, read_json, run, run_here

from streamlight.batch import FoundFile, name_output


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return dark_clip(tmp_path / "night.mp4")


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_writes_a_brighter_video_and_says_what_it_did(
    cache: Path, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mkv"
    done = run(cache, "file", clip, "-o", target, *FAST)
    assert (done.code, done.out) == (0, "")
    assert frames_of(target) == 12
    assert has_sound(target)
    first, last = done.lines
    assert first.startswith("gladnet-fast with openvino, ")
    assert first.endswith("(auto: the model for a CPU); 64x48, 12 frames, 25 fps")
    assert last.startswith(f"{target}: 12 frames in ")
    assert " fps; bottleneck: " in last
    assert left_in(tmp_path) == {"night.mp4", "out.mkv"}


def test_the_report_holds_the_run(cache: Path, clip: Path, tmp_path: Path) -> None:
    report_path, target = tmp_path / "report.json", tmp_path / "out.mp4"
    done = run(cache, "file", clip, "-o", target, "--report", report_path, "-q", *FAST)
    assert (done.code, done.out, done.err) == (0, "", "")
    report = read_json(report_path)
    assert report["schema"] == 1
    assert (report["outcome"], report["exit_code"], report["error"]) == ("end_of_stream", 0, None)
    assert report["output"] == str(target)
    assert report["input"] == {
        "path": str(clip),
        "width": 64,
        "height": 48,
        "frames_per_s": 25.0,
        "rate": "25",
        "frame_count": 12,
        "rotation_degrees": 0,
        "color": {"matrix": 6, "range": 1, "primaries": 2, "transfer": 2},
    }
    assert report["model"] == "gladnet-fast"
    assert report["backend"]["name"] == "openvino"
    assert report["backend"]["precision"] in ("fp32", "bf16", "fp16", "int8")
    assert report["pipeline"]["frames_in"] == report["pipeline"]["frames_out"] == 12
    assert report["pipeline"]["frames_per_s"] > 0
    assert report["notes"] == []
    assert report["versions"]["streamlight"] and report["versions"]["av"]


def test_without_o_the_output_lies_beside_the_input(cache: Path, clip: Path) -> None:
    assert run(cache, "file", clip, "-q", *FAST).code == 0
    assert frames_of(clip.with_name("night.bright.mp4")) == 12
    again = run(cache, "file", clip, "-q", *FAST)
    assert (again.code, len(again.lines)) == (1, 1)
    assert "night.bright.mp4: exists already; -y overwrites it" in again.err


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("a/night.mp4", "a/night.bright.mp4"),
        ("night.MKV", "night.bright.MKV"),
        ("night.avi", "night.bright.mp4"),
        ("two.dots.webm", "two.dots.bright.mp4"),
        ("night", "night.bright.mp4"),
    ],
)
def test_default_names(source: str, target: str) -> None:
    assert name_output(FoundFile(Path(source))) == Path(target)


def test_an_existing_output_stays_without_y_and_is_replaced_with_it(
    cache: Path, clip: Path, tmp_path: Path
) -> None:
    target, report = tmp_path / "out.mp4", tmp_path / "report.json"
    target.write_bytes(b"precious")
    refused = run(cache, "file", clip, "-o", target, "--report", report, *FAST)
    assert refused.code == 1
    assert refused.lines[-1] == f"error: {target}: exists already; -y overwrites it"
    assert target.read_bytes() == b"precious"
    facts = read_json(report)
    assert (facts["outcome"], facts["exit_code"], facts["output"]) == ("failed", 1, None)
    assert f"error: {facts['error']}" == refused.lines[-1]
    assert run(cache, "file", clip, "-o", target, "-y", *FAST).code == 0
    assert frames_of(target) == 12


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("night.mp4", "-o", "night.mp4", "-y"), 2, "input and output are the same file"),
        (("night.mp4", "-o", "out.xyz"), 1, "unknown extension '.xyz'; choose one of .mp4"),
        (("none.mp4", "-o", "out.mp4"), 1, "none.mp4: no such file"),
        (("folder", "-o", "out.mp4"), 2, "-o out.mp4: several inputs need a folder"),
        (("text.mp4", "-o", "out.mp4"), 1, "text.mp4: not a video"),
        (("night.mp4", "-o", "/proc/x.mp4", *FAST), 1, "/proc/x.mp4: cannot write there"),
        (("night.mp4", "-o", "no/out.mp4", *FAST), 1, "no: no such folder"),
        (
            ("night.mp4", "-o", "out.mp4", "--crf", "52"),
            2,
            "--crf 52: of libx264 it must be",
        ),
        (("night.mp4", "-o", "out.mp4", "--crf", "nan"), 2, "--crf nan: must be 0 or more"),
        (("night.mp4", "-o", "out.mp4", "--strength", "1.5"), 2, "--strength 1.5: must be"),
        (("night.mp4", "-o", "out.mp4", "--compare", "up"), 2, "--compare up: choose one of"),
        (("night.mp4", "-o", "out.mp4", "--model", "x"), 2, "choose one of auto, gladnet,"),
        (("night.mp4", "-o", "out.mp4", "--backend", "x"), 2, "choose one of auto, openvino,"),
        (
            ("night.mp4", "-o", "out.mp4", "--preset", "x"),
            2,
            "--preset x: of libx264, choose",
        ),
        (("night.mp4", "-o", "out.mp4", "--report", "night.mp4"), 2, "--report night.mp4: is the"),
        (("night.mp4", "-o", "o.mp4", "--report", "o.mp4"), 2, "--report o.mp4: is the output"),
        (("night.mp4", "-o", "out.mp4", "--report", "no/r.json"), 1, "--report no/r.json: no such"),
        (("night.mp4", "-o", "out.mp4", "--report", "folder"), 1, "--report folder: is a folder"),
    ],
)
def test_errors_are_one_line_without_a_traceback(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.mp4").write_text("no video at all")
    before = clip.read_bytes()
    monkeypatch.chdir(tmp_path)
    failed = run_here("file", *arguments, "-q")
    assert (failed.code, failed.out, len(failed.lines)) == (code, "", 1)
    assert failed.err.startswith("error: ")
    assert message in failed.err
    assert clip.read_bytes() == before
    assert left_in(tmp_path) == {"folder", "text.mp4", "night.mp4"}


def test_a_real_process_fails_in_one_line_too(cache: Path, tmp_path: Path) -> None:
    failed = run(cache, "file", "none.mp4", cwd=tmp_path)
    assert (failed.code, failed.out, failed.err) == (1, "", "error: none.mp4: no such file\n")


def test_debug_shows_the_traceback_above_the_line(cache: Path, tmp_path: Path) -> None:
    failed = run(cache, "file", "none.mp4", "--debug", cwd=tmp_path)
    assert failed.code == 1
    assert failed.lines[0] == "Traceback (most recent call last):"
    assert "SourceError" in failed.err
    assert failed.lines[-1] == "error: none.mp4: no such file"


def test_arguments_that_typer_refuses_exit_with_2(clip: Path) -> None:
    failed = run_here("file", clip, "--crf", "high")
    assert failed.code == 2
    assert "--crf" in failed.err
    assert "Traceback" not in failed.err


def test_a_name_cannot_speak_to_the_terminal() -> None:
    failed = run_here("file", "a\x1b[31mred\nb.mp4")
    assert failed.code == 1
    assert len(failed.lines) == 1
    assert "\x1b" not in failed.err


def test_a_cut_off_input_is_kept_up_to_the_cut_and_with_strict_when_asked(
    cache: Path, tmp_path: Path
) -> None:
    whole = dark_clip(tmp_path / "whole.mkv", frames=200)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    target, report = tmp_path / "out.mkv", tmp_path / "report.json"
    noted = run(cache, "file", cut, "-o", target, *FAST)
    assert noted.code == 1
    assert noted.lines[-1] == f"error: {cut}: is cut off; {target} holds what was there"
    assert any("the file is cut off after" in line for line in noted.lines)
    assert 0 < frames_of(target) < 200
    target.unlink()
    failed = run(cache, "file", cut, "-o", target, "--strict", *FAST)
    assert failed.code == 1
    assert "the file is cut off after" in failed.lines[-1]
    assert not target.exists()
    strict = ("--strict", "--keep-partial", "--report", report)
    kept = run(cache, "file", cut, "-o", target, *strict, *FAST)
    assert kept.code == 1
    assert kept.lines[-2] == f"{target}: kept, with what was done before the failure"
    assert 0 < frames_of(target) < 200
    facts = read_json(report)
    assert (facts["outcome"], facts["output"]) == ("failed", str(target))
    assert "cut off" in facts["error"]
    assert facts["input"]["width"] == 64


def test_a_reader_of_stderr_that_goes_away_does_not_stop_the_run(
    cache: Path, clip: Path, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = run(cache, "file", clip, "-o", tmp_path / "out.mp4", *FAST, stderr=write_end)
    os.close(write_end)
    assert done.code == 0
    assert frames_of(tmp_path / "out.mp4") == 12
