"""A power cut at any moment of a commit: the index never names a row that is not wholly there.

strace records every write with its bytes, fsync, rename, unlink, truncation and new name of a
process that makes a cache and commits shards, SQLite's own included. Every prefix of that record is
then replayed by the rules of a disk: what was fsynced is there; of the rest each 512-byte sector
and each name may be there or not. Nothing is assumed to reach the disk in order.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

import common

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SECTOR = 512
SHARDS = 3
CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,truncate,rename,"
    "renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,lseek,"
    "close,fallocate,copy_file_range,sendfile,splice,mmap"
)
RETURNED = "returned-"
"""A child marks that a commit has returned by deleting a file of this name, which is not there."""


@dataclass
class File:
    """A file as the system sees it, and as far as it is on the disk."""

    pending: list[tuple[str, int, bytes]] = field(default_factory=list)
    """Changes since the last fsync: ("write", offset, bytes) or ("truncate", length, b"")."""
    data: bytearray = field(default_factory=bytearray)

    def sync(self) -> None:
        """Put everything on the disk."""
        for change in self.pending:
            apply(self.data, change)
        self.pending.clear()


def apply(data: bytearray, change: tuple[str, int, bytes]) -> None:
    """Make one change to a file's bytes."""
    kind, place, new = change
    if len(data) < place:
        data.extend(bytes(place - len(data)))
    if kind == "truncate":
        del data[place:]
    else:
        data[place : place + len(new)] = new


Name = tuple[str, "File | None"]
"""A path, and the file that it stands for from now on; a folder is a `File` without bytes."""

State = dict[str, "bytes | None"]
"""What is on a disk: the bytes of each path, None for a folder."""


class Disk:
    """Files, names, and what of both an fsync has made sure of."""

    def __init__(self) -> None:
        self.names: dict[str, File] = {}
        self.pending: list[list[Name]] = []
        """Changes of names since their folder's last fsync; a rename changes two at once."""
        self.now: dict[str, File] = {}

    def change(self, *names: Name) -> None:
        """Change names, as the system sees them at once and the disk later."""
        self.pending.append(list(names))
        put(self.now, names)

    def sync_folder(self, folder: str) -> None:
        """Put the names in a folder on the disk."""
        rest = []
        for names in self.pending:
            if any(parent(path) == folder for path, _ in names):
                put(self.names, names)
            else:
                rest.append(names)
        self.pending = rest

    def after_power_cut(self, write: Callable[[File], bytes], takes: Callable[[], bool]) -> State:
        """Return path -> bytes (None for a folder) of what is on the disk afterwards."""
        names = dict(self.names)
        for change in self.pending:
            if takes():
                put(names, change)
        return {
            path: None if file is FOLDER else write(file)
            for path, file in sorted(names.items())
            if all(above in names for above in parents(path))
        }


FOLDER = File()


def put(names: dict[str, File], changes: Iterable[Name]) -> None:
    """Change names."""
    for path, file in changes:
        if file is None:
            names.pop(path, None)
        else:
            names[path] = file


def parent(path: str) -> str:
    """Return the folder of a path; "" is the one that everything is in."""
    return path.rpartition("/")[0]


def parents(path: str) -> list[str]:
    """Return all folders above a path but the outermost."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


# --- the record ----------------------------------------------------------------------------------

_LINE = re.compile(r"(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)")
_DESCRIPTOR = re.compile(r"^(\d+)<(.*?)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass
class Step:
    """One system call that was made under the outermost folder."""

    do: Callable[[Disk], None]
    what: str
    returned: int = 0
    """How many commits had returned by then."""


class Recorder:
    """Reads strace's log into steps."""

    def __init__(self, outermost: Path) -> None:
        self._outermost = f"{outermost}/"
        self._offsets: dict[int, int] = {}
        self._there: set[str] = set()
        self._returned = 0
        self.steps: list[Step] = []

    def _inside(self, path: str) -> str | None:
        if f"{path}/" == self._outermost:
            return ""
        return path.removeprefix(self._outermost) if path.startswith(self._outermost) else None

    def read(self, log: str) -> None:
        """Read the whole log."""
        for line in log.splitlines():
            match = _LINE.match(line)
            if match and not match[3].startswith("-"):
                self._call(match[1], match[2], int(match[3], 0))
            elif match and RETURNED in "".join(map(_decode, _TEXT.findall(match[2]))):
                self._returned += 1
                self._step("a commit returned", lambda _: None)

    def _step(self, what: str, do: Callable[[Disk], None]) -> None:
        self.steps.append(Step(do, what, self._returned))

    def _call(self, name: str, arguments: str, result: int) -> None:
        texts = [_decode(text) for text in _TEXT.findall(arguments)]
        opened = _DESCRIPTOR.match(arguments)
        path = self._inside(opened[2]) if opened else None
        if name.startswith("open"):
            self._open(texts[0], arguments, result)
        elif name.startswith("rename"):
            self._rename(*map(self._inside, texts))
        elif name.startswith(("unlink", "mkdir")):
            target = self._inside(texts[0])
            if target is not None:
                file = FOLDER if name.startswith("mkdir") else None
                self._step(f"{name} {target}", lambda disk: disk.change((target, file)))
                (self._there.discard if file is None else self._there.add)(target)
        elif path is None or opened is None:
            return
        else:
            self._on_file(name, path, int(opened[1]), texts, arguments, result)

    def _open(self, text: str, arguments: str, descriptor: int) -> None:
        path = self._inside(text)
        if path is None:
            return
        self._offsets[descriptor] = 0
        assert "O_APPEND" not in arguments or path.endswith(".lock"), arguments
        if "O_CREAT" in arguments and path not in self._there:
            self._there.add(path)
            self._step(f"create {path}", lambda disk: disk.change((path, File())))
        elif "O_TRUNC" in arguments:
            self._step(
                f"truncate {path}",
                lambda disk: disk.now[path].pending.append(("truncate", 0, b"")),
            )

    def _rename(self, old: str | None, new: str | None) -> None:
        if old is None or new is None:
            return
        self._there.discard(old)
        self._there.add(new)
        self._step(
            f"rename {old} {new}", lambda disk: disk.change((new, disk.now[old]), (old, None))
        )

    def _on_file(
        self, name: str, path: str, descriptor: int, texts: list[str], arguments: str, result: int
    ) -> None:
        if name in ("write", "pwrite64"):
            data = texts[0].encode("latin-1")
            assert len(data) == result, "strace has cut the data off, or the write was short"
            place = self._offsets[descriptor]
            if name == "pwrite64":
                place = int(arguments.rpartition(", ")[2])
            else:
                self._offsets[descriptor] += result
            change = ("write", place, data)
            self._step(
                f"{name} {path} {place}+{result}",
                lambda disk: disk.now[path].pending.append(change),
            )
        elif name == "lseek":
            self._offsets[descriptor] = result
        elif name == "ftruncate":
            length = int(arguments.rpartition(", ")[2])
            self._step(
                f"truncate {path} to {length}",
                lambda disk: disk.now[path].pending.append(("truncate", length, b"")),
            )
        elif name in ("fsync", "fdatasync"):
            self._step(f"{name} {path}", lambda disk: sync(disk, path))
        else:
            assert name in ("close", "mmap"), f"{name} is not understood: {arguments}"
            assert "MAP_SHARED" not in arguments or "PROT_WRITE" not in arguments, arguments


def sync(disk: Disk, path: str) -> None:
    """Do what an fsync does to a file or a folder."""
    if path == "" or disk.now[path] is FOLDER:
        disk.sync_folder(path)
    else:
        disk.now[path].sync()


def _decode(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode("latin-1")


# --- cutting -------------------------------------------------------------------------------------


def torn(file: File, rng: random.Random, share: float) -> bytes:
    """Return a file whose unsynced changes have reached the disk sector by sector, or not."""
    data = bytearray(file.data)
    for kind, place, new in file.pending:
        if kind == "truncate":
            if rng.random() < share:
                apply(data, (kind, place, new))
            continue
        start = place
        while start < place + len(new):
            end = min((start // SECTOR + 1) * SECTOR, place + len(new))
            if rng.random() < share:
                apply(data, ("write", start, new[start - place : end - place]))
            start = end
    return bytes(data)


def states(disk: Disk, rng: random.Random, times: int) -> Iterable[State]:
    """Yield what may be on the disk after a power cut now."""
    yield disk.after_power_cut(lambda file: bytes(file.data), lambda: False)
    yield disk.after_power_cut(lambda file: torn(file, rng, 2.0), lambda: True)
    for _ in range(times):
        share = rng.choice((0.1, 0.5, 0.9))
        yield disk.after_power_cut(
            lambda file, share=share: torn(file, rng, share),  # type: ignore[misc]  # bound now
            lambda share=share: rng.random() < share,  # type: ignore[misc]  # bound now
        )


def replay(steps: list[Step], n_steps: int) -> Disk:
    """Return the disk after so many steps."""
    disk = Disk()
    for step in steps[:n_steps]:
        step.do(disk)
    return disk


def write_out(state: State, folder: Path) -> None:
    """Make a state a real folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, data in state.items():
        if data is None:
            (folder / path).mkdir(parents=True, exist_ok=True)
        else:
            (folder / path).write_bytes(data)


def record(scratch: Path) -> list[Step]:
    """Record a process that makes a cache and commits."""
    outermost, board = scratch / "recorded", common.Board()
    outermost.mkdir()

    def work() -> None:
        for number in range(SHARDS):
            common.commit_shards(outermost / "cache", board, [number])
            (outermost / f"{RETURNED}{number}").unlink(missing_ok=True)

    log = scratch / "power.log"
    ended = common.trace(work, "-o", str(log), "-y", "-xx", "-s", "100000000", f"--trace={CALLS}")
    assert ended == 0, ended
    recorder = Recorder(outermost)
    recorder.read(re.sub(r"<((?:\\x[0-9a-f]{2})*)>", _plain, log.read_text(encoding="latin-1")))
    return recorder.steps


def _plain(match: re.Match[str]) -> str:
    return f"<{_decode(match[1])}>"


def main() -> int:
    """Cut the power, and print how often and how many rows were named without being there."""
    full = common.wants_full(__doc__)
    if not common.can_trace():
        return common.conclude(f"skipped: {common.NO_STRACE}", [])
    rng = random.Random(common.SEED)
    times, every = (4, 1) if full else (1, 3)
    count, broken = 0, []
    with common.scratch_folder() as scratch:
        steps = record(scratch)
        syncs = sum("sync " in step.what for step in steps)
        common.say(f"{len(steps)} steps recorded, {syncs} of them fsyncs")
        assert steps[-1].returned == SHARDS
        for n in range(0, len(steps) + 1, every):
            returned = steps[n - 1].returned if n else 0
            for state in states(replay(steps, n), rng, times):
                count += 1
                write_out(state, scratch / "state")
                where = f"cut {count}, after step {n} ({steps[n - 1].what if n else 'none'})"
                problems = common.broken_promises(scratch / "state" / "cache", SHARDS, returned)
                # Here a cut may come before the first of the shards, so more than one may be due.
                broken += [f"{where}: {line}" for line in problems if "compute again" not in line]
    return common.conclude(
        f"{count} states after a power cut in {len(steps)} steps, "
        f"{sum('lost' in line for line in broken)} with committed rows lost, "
        f"{sum('is not what' in line or 'wrong' in line for line in broken)} with rows named that "
        f"are not whole, {len(broken)} promises broken",
        broken,
    )


if __name__ == "__main__":
    raise SystemExit(main())
