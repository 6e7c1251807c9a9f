"""The configuration file: what it says, and how its faults are told."""

from pathlib import Path

import pytest

from streamlight.cameras.controls import Controls
from streamlight.cameras.source import SourceKind
from streamlight.cli.config_file import Config, ConfigError, read_config
from streamlight.cli.toml_lines import lines_of
from streamlight.web.settings import WebSettings

EXAMPLE = Path(__file__).parents[2] / "examples" / "cameras.toml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "cameras.toml"


def read(path: Path, text: str, **variables: str) -> Config:
    path.write_text(text, encoding="utf-8")
    return read_config(path, variables)


def faults(path: Path, text: str, **variables: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(path, text, **variables)
    return [line.removeprefix(f"{path}:") for line in caught.value.faults]


def test_the_example_is_right() -> None:
    config = read_config(EXAMPLE, {"DOOR_PASSWORD": "s3cret"})
    door, yard, demo = config.cameras
    assert (door.name, yard.name, demo.name) == ("door", "yard", "demo")
    assert door.source.address == "rtsp://viewer:s3cret@192.0.2.10/stream"
    assert door.source.live.wait_for_source
    assert (door.outputs.targets, door.outputs.segment_s) == (("door.mkv",), 600)
    assert yard.source.live.transport == "udp"
    assert yard.controls == Controls(exposure_ev=0.5)
    assert len(yard.outputs.targets) == 2
    assert demo.source.kind is SourceKind.FILE and demo.source.loop
    assert (door.is_adaptive, demo.is_adaptive) == (True, False)
    assert config.network == {"model": "auto"}
    assert config.web == WebSettings(port=8080)


def test_every_option_of_a_camera_is_understood(config: Path) -> None:
    camera = read(
        config,
        """
        [[camera]]
        name = "all"
        source = "/dev/video1"
        transport = "tcp"
        open_timeout = 3
        read_timeout = 2.5
        max_retries = 4
        no_audio = true
        no_low_latency = true
        size = "640x480"
        fps = "30000/1001"
        pixel_format = "mjpeg"
        no_loop = true
        output = ["a.mkv", "udp://127.0.0.1:5000"]
        virtual_camera = true
        segment = "1h"
        overwrite = true
        crf = 30
        bitrate = "2M"
        preset = "fast"
        memory = "2GB"
        process_size = 360
        adaptive = true
        target_fps = 15
        strength = 0.5
        exposure = -1
        compare = "side"
        skip_bright = true
        smoothing = 2
        estimate_every = 3
        sampling = "area"
        strict = true
        """,
    ).cameras[0]
    source, live, outputs = camera.source, camera.source.live, camera.outputs
    assert (live.open_timeout_s, live.read_timeout_s, live.max_retries) == (3, 2.5, 4)
    assert (live.audio, live.low_latency, source.loop) == (False, False, False)
    assert (source.size, str(source.fps), source.pixel_format) == (
        (640, 480),
        "30000/1001",
        "mjpeg",
    )
    assert (outputs.has_virtual_camera, outputs.segment_s, outputs.overwrite) == (True, 3600, True)
    encoding = outputs.encoding
    assert (encoding.crf, encoding.bitrate, encoding.preset) == (30, 2_000_000, "fast")
    assert camera.memory_bytes == 2_000_000_000
    assert camera.process_size is not None and camera.process_size[0] == 360
    assert (camera.is_adaptive, camera.target_fps, camera.is_strict) == (True, 15, True)
    assert camera.controls == Controls(0.5, -1, 2)
    assert (camera.compare, camera.skip_bright) == ("side", True)
    assert (camera.estimate_every, camera.sampling) == (3, "area")


def test_all_faults_are_told_at_once_each_with_its_line(config: Path) -> None:
    text = """\
[network]
model = "gladnet-slow"
modle = "gladnet"

[[camera]]
name = "door"
source = "rtsp://127.0.0.1/x"
strenght = 0.5
strength = "high"

[[camera]]
name = "door"
source = "b.mp4"
segment = "soon"
adaptive = 1

[[camera]]
sauce = "c.mp4"

[web]
port = 99999
"""
    first, *rest = faults(config, text)
    assert first.startswith("2: model: choose one of auto, gladnet, gladnet-fast")
    assert rest == [
        "3: modle: is unknown; did you mean model?",
        "8: strenght: is unknown; did you mean strength?",
        '9: strength: expected a number from 0 to 1, got "high"',
        '12: name: "door" is taken by the camera at line 6',
        '14: segment: expected a time, such as "10m" or "1h", got "soon"',
        "15: adaptive: expected true or false, got 1",
        '17: name: is missing; write name = "..."',
        '17: source: is missing; write source = "..." with a URL or file',
        "18: sauce: is unknown; did you mean source?",
        "20: port 99999: must be between 0 and 65535",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "1: there is no camera; write [[camera]] with a name and a source"),
        ("[camera]\nname = 'a'", "1: camera: write [[camera]], with two brackets"),
        ("[[camera]]\nname = 'a b'\nsource = 'x'", "1: camera 'a b': a name has"),
        ("[[camera]]\nname = 'a'\nsource = ''", "1: a source is empty"),
        ("network = 3\n[[camera]]\nname='a'\nsource='b'", "1: network: expected a table"),
        ("[[camera]]\nname='a'\nsource='b'\ntarget_fps=5", "1: camera a: --target-fps is for"),
        ("[[camera]]\nname='a'\nsource='b'\nstrength=1.5", "4: strength: expected a number from 0"),
        ("[[camera]]\nname='a'\nsource='b'\nsmoothing=nan", "4: smoothing: expected seconds"),
        ("[cameras]\n[[camera]]\nname='a'\nsource='b'", "1: cameras: is unknown; did you mean"),
        ("[defaults]\nsource='b'\n[[camera]]\nname='a'\nsource='b'", "2: source: belongs to one"),
        ("[[camera]]\nname='${P}'\nsource='b'", "2: name: takes no variables"),
        ("camera = [{name='a', source='b'}, {name='a', source='c'}]", '1: name: "a" is taken'),
        ("[defaults]\nstrength=2\n[[camera]]\nname='a'\nsource='b'", "2: strength: expected"),
        ("[web]\ntoken='short'\n[[camera]]\nname='a'\nsource='b'", "1: token: is too short"),
    ],
)  # fmt: skip
def test_a_fault_names_its_line(config: Path, text: str, fault: str) -> None:
    assert faults(config, text)[0].startswith(fault)


def test_broken_toml_names_line_and_column(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"cameras.toml: line 2: .* \(column \d+\)"):
        read(config, "[[camera]]\nname == 'a'\n")


def test_secrets_come_from_the_environment_and_are_never_told(config: Path) -> None:
    text = "[[camera]]\nname = 'a'\nsource = 'rtsp://u:${PASSWORD}@cam/x'\n"
    variables = {"PASSWORD": "hunter2"}
    camera = read(config, text, **variables).cameras[0]
    assert camera.source.address == "rtsp://u:hunter2@cam/x"
    assert "hunter2" not in camera.source.name
    in_path = text.replace("u:${PASSWORD}@cam/x", "cam/${PASSWORD}/x")
    assert read(config, in_path, **variables).cameras[0].source.name == "rtsp://cam/***/x"
    assert faults(config, text) == ["3: source: the environment variable PASSWORD is not set"]
    told = faults(config, text + "segment = '${PASSWORD}'\n", **variables)
    assert told == ["4: segment: makes no sense once its variables are filled in"]


def test_a_missing_file_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.toml: cannot be read \(No such file"):
        read_config(tmp_path / "nowhere.toml")
    binary = tmp_path / "clip.mp4"
    binary.write_bytes(b"\xff\xd8\x00")
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_config(binary)


def test_lines_are_found_in_every_form_that_toml_has() -> None:
    text = '''\
title = "x"  # a comment
text = """
[not.a.table]
key = 1
"""
[a.b]
c = [
  1,
  2,
]
d.e = 1
"quoted key" = 1
[[list]]
x = 1

[[list]]
x = 2
[list.inner]
y = { z = 1, w = 2 }
'''
    lines = lines_of(text)
    assert lines[("title",)] == 1 and lines[("text",)] == 2
    assert lines[("a", "b")] == 6 and lines[("a", "b", "c")] == 7
    assert lines[("a", "b", "d", "e")] == 11 and lines[("a", "b", "quoted key")] == 12
    assert lines[("list", 0, "x")] == 14 and lines[("list", 1, "x")] == 17
    assert lines[("list", 1, "inner", "y")] == 19
    assert not any("not" in place for place in lines)


@pytest.mark.parametrize(
    "line",
    [
        'source = ["rtsp://u:hunter2@h/x"]',
        'source = "a.mp4"\noutput = { url = "rtmp://h/app/hunter2hunter2" }',
        'source = "a.mp4"\nsegment = "rtsp://u:hunter2@h/x"',
        'source = "a.mp4"\n[web]\ntoken = ["hunter2"]',
        'source = "rtsp:/u:hunter2@h/x"',
    ],
)
def test_no_fault_repeats_a_secret(config: Path, line: str) -> None:
    told = faults(config, f"[[camera]]\nname = 'a'\n{line}\n")
    assert told and not any("hunter2" in fault for fault in told)


def test_a_secret_that_would_break_the_url_is_named(config: Path) -> None:
    text = "[[camera]]\nname = 'a'\nsource = 'rtsp://u:${PASSWORD}@cam/x'\n"
    (told,) = faults(config, text, **{"PASSWORD": "a@b/c#d"})
    why = "the value of PASSWORD must be percent-encoded in a URL: it has / ? # @"
    assert told == f"3: source: {why}"


def test_the_token_may_come_from_the_environment(config: Path) -> None:
    text = "[[camera]]\nname = 'a'\nsource = 'b'\n[web]\nhost = '0.0.0.0'\n"
    web = read(config, text, STREAMLIGHT_TOKEN="t" * 20).web
    assert web is not None and web.secret == "t" * 20
