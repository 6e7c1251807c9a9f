"""`streamlight file --realtime`: a file that plays as if it were a camera."""

import signal
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from cli_runs import OPENVINO, finish, read_json, run, run_here, start
from clips import Sound, make_clip
from ffprobe import Probe, needs_ffmpeg

sys.path.append(str(Path(__file__).parents[1] / "live"))
from peers import free_port


@needs_ffmpeg
def test_it_is_recorded_at_its_own_pace_with_its_sound(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50, sound=[Sound(duration_s=2.0)])
    target, report_path = tmp_path / "live.mkv", tmp_path / "report.json"
    done = run(
        tmp_path, "file", clip, "--realtime", "-o", target, "--report", report_path, *OPENVINO
    )
    assert done.code == 0, done.err
    report = read_json(report_path)
    assert report["outcome"] == "end_of_stream"
    assert report["pipeline"]["wall_s"] > 1.9, "not faster than it plays"
    assert report["pipeline"]["latency"]["p50_ms"] > 0
    assert report["pipeline"]["frames_in"] == 50
    probe = Probe(target)
    shown = probe.frame_times_s
    assert shown[-1] == pytest.approx(49 / 25, abs=0.1)
    (sound,) = probe.of_type("audio")
    packets = probe.packets(sound["index"])
    heard = [float(packet.pts_s) for packet in packets if packet.pts_s is not None]
    assert heard[0] == pytest.approx(shown[0], abs=0.05), "picture and sound begin together"
    assert heard[-1] == pytest.approx(1.98, abs=0.1)


@needs_ffmpeg
def test_what_is_too_much_for_the_network_is_left_out_and_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50, size=(320, 180))
    report_path = tmp_path / "report.json"
    done = run(
        tmp_path, "file", clip, "--realtime", "-o", tmp_path / "live.mkv", "--report", report_path,
        "--model", "gladnet", *OPENVINO,
    )  # fmt: skip
    assert done.code == 0, done.err
    figures = read_json(report_path)["pipeline"]
    assert figures["frames_dropped"] > 10
    assert figures["frames_out"] == 50 - figures["frames_dropped"]


def test_a_loop_is_shown_on_a_page_until_ctrl_c(tmp_path: Path) -> None:
    pytest.importorskip("aiortc")
    clip = make_clip(tmp_path / "clip.mp4", frames=12)
    port = free_port()
    process = start(tmp_path, "file", clip, "--realtime", "--loop", "--web", str(port), *OPENVINO)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 30
    try:
        while True:
            try:
                page = f"http://127.0.0.1:{port}/api/cameras/clip/snapshot.jpg"
                with opener.open(page, timeout=5) as answer:
                    assert answer.read().startswith(b"\xff\xd8")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        stopped_at = time.monotonic()
        process.send_signal(signal.SIGINT)
        done = finish(process)
    finally:
        process.kill()
    assert done.code == 130, done.err
    assert time.monotonic() - stopped_at < 3
    assert f"the live page: http://127.0.0.1:{port}/" in done.err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("--loop", "--loop: is for --realtime"),
        ("--web 8080", "--web: is for --realtime"),
        ("--realtime --verify frames", "--verify: is not for --realtime"),
        ("--realtime --resume", "--resume: is not for --realtime"),
        ("--realtime --jobs 2", "--jobs: is not for --realtime"),
        ("--realtime b.mp4", "--realtime: plays one file, and 2 were given"),
        ("--realtime --web 8080 --preview", "--web and --preview: show it in one of the two"),
    ],
)
def test_options_that_do_not_go_together_are_named(words: str, fault: str) -> None:
    failed = run_here("file", "a.mp4", *words.split())
    assert failed.code == 2
    assert failed.err.startswith(f"error: {fault}"), failed.err


def test_a_missing_file_is_one_clear_line(tmp_path: Path) -> None:
    failed = run_here("file", "/nowhere/a.mp4", "--realtime", "-o", tmp_path / "b.mkv", *OPENVINO)
    assert failed.code == 1
    assert failed.lines == ["error: /nowhere/a.mp4: no such file"]
