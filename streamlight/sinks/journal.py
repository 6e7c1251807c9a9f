"""What a run has done so far, kept on disk so that another run can go on from there.

One SQLite database holds it: the encoded packets, in segments that need no other, and what the run
was asked for. A segment is one transaction, so after a kill or a power cut it is there or it is
not; and the lock of the database keeps a second run away, and ends with its process.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from streamlight import __version__
from streamlight.errors import SinkError, UsageError
from streamlight.sinks.decoding_times import Times
from streamlight.sinks.job_facts import differences, facts_of_input, written_facts

_LAYOUT = 1
"""Version of the tables."""

_TABLES = (
    "CREATE TABLE facts (part TEXT, name TEXT, value TEXT, PRIMARY KEY (part, name))",
    "CREATE TABLE segments (id INTEGER PRIMARY KEY, "
    "first_pts INTEGER, last_pts INTEGER, last_index INTEGER, end_s REAL)",
    "CREATE TABLE packets (id INTEGER PRIMARY KEY, segment INTEGER, "
    "pts INTEGER, dts INTEGER, duration INTEGER, is_keyframe INTEGER, data BLOB)",
    f"PRAGMA user_version = {_LAYOUT}",
)

_PAGE_BYTES = 32_768
"""A packet of a large picture is a chain of pages; SQLite's 4096 bytes would make long ones."""

_LONGEST_NAME = 255  # bytes, of the usual file systems


class Segment(NamedTuple):
    """Frames that were encoded together, and need no packets but their own.

    Attributes:
        first_pts: of the source's frames in it.
        last_pts: likewise.
        last_index: of the last frame, counted from the start of the source.
        end_s: when the last frame begins, in seconds.
    """

    first_pts: int
    last_pts: int
    last_index: int
    end_s: float


class StoredPacket(NamedTuple):
    """A packet of the picture.

    Attributes:
        pts: when it is shown, in ticks of the encoder's time base.
        duration: how long, likewise.
        is_keyframe: whether decoding can begin with it.
        data: its bytes.
    """

    pts: int
    duration: int
    is_keyframe: bool
    data: bytes


class Journal:
    """The kept work of one job: one input, one output, the same options.

        with Journal(target, path, {"model": "gladnet", "encoder": options}) as journal:
            source = FileSource(
                path, resume_after_pts=journal.after_pts, resume_index=journal.next_index
            )

    Attributes:
        target: the file that the job is to write.
        folder: where the work is kept: hidden, beside the target.
        after_pts: of the last frame that was done when the journal was opened; None for none.
        next_index: of the first frame to do then.
    """

    def __init__(self, target: str | Path, source: str | Path, job: Mapping[str, object]) -> None:
        """Open the journal of a job, or begin one.

        Args:
            target: the file to write.
            source: the input; its size, date and both ends must be as they were.
            job: everything that changes the result, by names that people know. Values are
                whatever JSON holds, and dataclasses of that.

        Raises:
            UsageError: the input or the job are not those of the kept work.
            SinkError: the folder cannot be written, the journal is broken, or another process
                works on the job.
            SourceError: the input cannot be read.
        """
        self.target = Path(target)
        self.folder = _folder_of(self.target)
        facts = {
            **facts_of_input(Path(source)),
            "the version of streamlight": __version__,
            **job,
        }
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(f"{self.folder}: cannot be created ({error.strerror})") from error
        with self._translated():
            self._database = sqlite3.connect(
                self.folder / "journal.sqlite",
                timeout=0,
                isolation_level=None,  # transactions begin and end where it is said below
                check_same_thread=False,  # written by the encode thread, closed by the main one
            )
        try:
            self._take_database()
            self.agree("job", facts)
            done = self.segments
        except BaseException:
            self._database.close()
            raise
        self.after_pts = done[-1].last_pts if done else None
        self.next_index = done[-1].last_index + 1 if done else 0

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    @property
    def segments(self) -> list[Segment]:
        """What is kept, in order."""
        with self._translated():
            rows = self._database.execute(
                "SELECT first_pts, last_pts, last_index, end_s FROM segments ORDER BY id"
            )
            return [Segment(*row) for row in rows]

    def agree(self, part: str, facts: Mapping[str, object]) -> None:
        """Hold a run to the facts of the earlier ones; the first run that keeps work sets them.

        Args:
            part: a name for these facts.
            facts: names that people know, and values; all of that part at once.

        Raises:
            UsageError: one of them is another than before.
        """
        now = written_facts(facts)
        with self._translated():
            kept = self._database.execute("SELECT name, value FROM facts WHERE part = ?", (part,))
            before = dict(kept.fetchall())
        if before and self.segments:
            if changed := differences(before, now):
                raise UsageError(
                    f"{self.target}: --resume cannot go on with another job: "
                    f"{'; '.join(changed)}. Ask for the same as before, or delete {self.folder} "
                    "to start anew"
                )
            return
        with self._translated():
            self._database.executemany(
                "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)",
                [(part, name, value) for name, value in now.items()],
            )

    def add(self, packets: Iterable[Any]) -> None:
        """Store packets of a segment that is not closed yet.

        Args:
            packets: of PyAV, in decoding order, with `pts` and `dts`.

        Raises:
            SinkError: the disk is full.
        """
        with self._translated():
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT INTO packets (segment, pts, dts, duration, is_keyframe, data) "
                "VALUES ((SELECT COUNT(*) FROM segments), ?, ?, ?, ?, ?)",
                [(p.pts, p.dts, p.duration or 0, p.is_keyframe, memoryview(p)) for p in packets],
            )

    def close_segment(self, segment: Segment) -> None:
        """Keep the packets added since the last segment; from now on they survive a power cut.

        Raises:
            SinkError: the disk is full.
        """
        with self._translated():
            self._database.execute(
                "INSERT INTO segments (first_pts, last_pts, last_index, end_s) VALUES (?, ?, ?, ?)",
                segment,
            )
            self._database.execute("COMMIT")

    def drop_segment(self) -> None:
        """Forget the packets added since the last segment."""
        with suppress(sqlite3.Error):  # then the next process does
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def times(self) -> list[Times]:
        """Return the times of all packets that are kept, in decoding order."""
        with self._translated():
            rows = self._database.execute("SELECT segment, pts, dts FROM packets ORDER BY id")
            return rows.fetchall()

    def packets(self) -> Iterator[StoredPacket]:
        """Yield all packets that are kept, in decoding order."""
        with self._translated():
            rows = self._database.execute(
                "SELECT pts, duration, is_keyframe, data FROM packets ORDER BY id"
            )
            for row in rows:
                yield StoredPacket(*row)

    def warm_up_pts(self, past_s: float) -> int | None:
        """Say after which frame to begin, to see at least so many seconds of the kept work again.

        Returns:
            A time for `FileSource(resume_after_pts=...)`; None for the start of the source.
        """
        done = self.segments
        early = [segment for segment in done if segment.end_s <= done[-1].end_s - past_s]
        return early[-1].last_pts if early else None

    def remove(self) -> None:
        """Delete the kept work, because the job is done."""
        self._database.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leave what is kept to another run; of a run that kept nothing, nothing is left."""
        with suppress(SinkError):  # it is removed or broken
            if not self.segments:
                self.remove()
        self._database.close()

    def _take_database(self) -> None:
        """Lock the database until it is closed, and make its tables."""
        with self._translated():
            self._database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("BEGIN EXCLUSIVE")
            ((layout,),) = self._database.execute("PRAGMA user_version").fetchall()
            if layout == 0:
                for statement in _TABLES:
                    self._database.execute(statement)
            self._database.execute("COMMIT")
        if layout not in (0, _LAYOUT):
            raise SinkError(
                f"{self.folder}: made by another version of streamlight; go on with that one, or "
                "delete it to start anew"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn SQLite's errors into one that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            if name == "SQLITE_FULL":
                text = f"{self.target}: the disk is full"
            elif name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                text = f"{self.target}: another process is at this job; wait for it, or stop it"
            elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                text = f"{self.folder}: the kept work is broken; delete it to start anew"
            else:
                text = f"{self.folder}: the kept work cannot be read or written ({error})"
            raise SinkError(text) from error


def unfinished_job(target: str | Path) -> Path | None:
    """Return the folder that a `--resume` of this target would go on from; None without one."""
    folder = _folder_of(Path(target))
    return folder if (folder / "journal.sqlite").is_file() else None


def _folder_of(target: Path) -> Path:
    name = f".{target.name}.resume"
    if len(name.encode()) > _LONGEST_NAME:
        digest = hashlib.sha256(target.name.encode()).hexdigest()
        name = f".{target.name[:32]}.{digest[:16]}.resume"
    return target.with_name(name)
