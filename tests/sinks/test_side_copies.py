from pathlib import Path

import av
import pytest
from live_frames import ClipSound

from streamlight.sinks.side_copies import MOST_WAITING, SideCopies, SideTee, time_s


def test_two_sinks_copy_the_same_packets_each_its_own(tmp_path: Path) -> None:
    sound = ClipSound(tmp_path, 0.5)
    tee = SideTee(sound)
    one, other = tee.branch(), tee.branch()
    first = list(one.take())
    second = list(other.take())
    assert len(first) == len(second) == sound.given > 10
    assert [bytes(packet) for packet in first] == [bytes(packet) for packet in second]
    assert [time_s(packet) for packet in first] == [time_s(packet) for packet in second]
    assert all(a is not b for a, b in zip(first, second, strict=True))
    assert one.streams == sound.streams
    assert list(one.take()) == []


def test_a_branch_that_takes_nothing_keeps_a_bounded_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamlight.sinks.side_copies.MOST_WAITING", 5)
    sound = ClipSound(tmp_path, 0.5)
    tee = SideTee(sound)
    lazy, eager = tee.branch(), tee.branch()
    taken = [time_s(packet) for packet in eager.take()]
    assert [time_s(packet) for packet in lazy.take()] == taken[-5:]
    assert MOST_WAITING > 1000


def test_packets_are_placed_from_the_first_picture_on_and_never_go_back(tmp_path: Path) -> None:
    sound = ClipSound(tmp_path, 0.5, start_s=100)
    packets = list(sound.take())
    with av.open(str(tmp_path / "out.mkv"), "w") as container:
        copies = SideCopies(container, sound)
        assert copies.placed(packets[0], start_s=100.2) is None, "before the first picture"
        late = copies.placed(packets[15], start_s=100.2)
        assert late is not None
        heard_s = time_s(late)
        assert heard_s == pytest.approx(15 * 1024 / 48_000 - 0.2, abs=0.03)
        assert copies.placed(packets[14], start_s=100.2) is None, "it goes back in time"


def test_without_sound_nothing_is_copied(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "out.mkv"), "w") as container:
        copies = SideCopies(container, None)
        assert copies.left_out == []
        assert len(container.streams) == 0
