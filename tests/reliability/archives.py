"""Hostile archives: each is refused whole, and leaves nothing behind.

Each is given to `unpack` and to `check`, and is named as a file and as an address with ``--data``.
With ``--full`` also 3,000 archives with bytes overwritten or cut, which are unpacked whole or
refused. The whole folder around the cache is listed before and after.
"""

from __future__ import annotations

import argparse
import io
import random
import stat
import struct
import sys
import tempfile
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from extract.datasets.sources import archive as archives  # noqa: E402 - found by the path above
from extract.datasets.sources.archive import check_archive, unpack  # noqa: E402 - found by the path above
from extract.datasets.sources.locating import locate  # noqa: E402 - found by the path above
from tests.extract.datasets.sources import tar_samples  # noqa: E402 - found by the path above
from tests.extract.misbehaving import serving  # noqa: E402 - found by the path above
from toolkit.errors import ToolkitError  # noqa: E402 - found by the path above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.extract.misbehaving import Server

SEED = 21
GOOD = {"pets/cat/1.jpg": b"one", "pets/dog/2.jpg": b"two" * 50, "pets/dog/3.jpg": b"three"}
CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"


def main() -> int:
    """Unpack every archive, and print how many there were and how many files they left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="3,000 damaged archives, not 100")
    full = parser.parse_args().full
    warnings.simplefilter("ignore", UserWarning)  # zipfile's, about duplicate names
    print(f"seed {SEED}", file=sys.stderr)
    broken: list[str] = []
    left = count = 0
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        place = Path(folder, "place")
        place.mkdir()
        hostile = {**dict(hostile_names()), **HOSTILE, **tar_samples.hostile(GOOD)}
        for name, data in {**hostile, **dict(damaged(3000 if full else 100))}.items():
            print(f"{count}: {name[:60]:60}", end="\r", file=sys.stderr)
            count += 1
            for way in WAYS:
                before = listing(Path(folder))
                with limits(name, full):
                    what = judge(
                        partial(way, data(), place, server), must_be_refused=name in hostile
                    )
                remains = listing(Path(folder)) - before
                left += len(remains)
                broken += [f"{name}, {way.__name__}: {line}" for line in (what, *remains) if line]
    for line in broken:
        print(line, file=sys.stderr)
    print(f"{count} archives, {left} files left behind")
    return bool(broken)


def judge(unpacking: Callable[[], bool], *, must_be_refused: bool) -> str:
    """Unpack; return what is not as promised."""
    try:
        whole = unpacking()
    except ToolkitError as error:
        return "" if "\n" not in str(error) else f"not one clear sentence: {error}"
    except Exception as error:  # noqa: BLE001 - counted as a broken promise
        return f"{type(error).__name__}: {error}"
    if must_be_refused:
        return "it was not refused"
    return "" if whole else "it was unpacked in part"


def listing(folder: Path) -> set[str]:
    """Return everything below a folder, but the empty folders and indexes that any run makes."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not (path.is_dir() and path.name in {"cache", "data"})
    }


@contextmanager
def limits(name: str, full: bool) -> Iterator[None]:
    """Lower a limit where an archive that is really too large would take a disk, or time."""
    before = archives.MAX_BYTES, archives.HARMLESS_BYTES, archives.MAX_FILES
    if name == "too large in total":
        archives.MAX_BYTES = 10_000
    if "bomb" in name:
        archives.HARMLESS_BYTES = 2**20
    if name == "too many files" and not full:
        archives.MAX_FILES = 5000
    try:
        yield
    finally:
        archives.MAX_BYTES, archives.HARMLESS_BYTES, archives.MAX_FILES = before


# --- ways in: each returns whether all of the archive was unpacked, and removes it again ----------


def by_unpack(data: bytes, place: Path, _: Server) -> bool:
    """Unpack the archive."""
    archive = place / "a.zip"
    archive.write_bytes(data)
    try:
        return _taken(unpack(archive, place / "out"), data)
    finally:
        archive.unlink()


def by_check(data: bytes, place: Path, _: Server) -> bool:
    """Only judge the archive."""
    archive = place / "a.zip"
    archive.write_bytes(data)
    try:
        check_archive(archive)
    finally:
        archive.unlink()
    return True


def by_file(data: bytes, place: Path, _: Server) -> bool:
    """Name the archive with ``--data``."""
    archive = place / "a.zip"
    archive.write_bytes(data)
    try:
        return _taken(locate(str(archive), cache=place / "cache").path, data)
    finally:
        archive.unlink()


def by_url(data: bytes, place: Path, server: Server) -> bool:
    """Name the archive's address with ``--data``."""
    server.content, server.etag = data, f'"{zlib.crc32(data)}"'
    whole = _taken(locate(server.url, cache=place / "cache").path, data)
    for record in (place / "cache" / "data").glob("*.json"):
        record.unlink()
    return whole


WAYS = (by_unpack, by_check, by_file, by_url)


def _taken(folder: Path, data: bytes) -> bool:
    """Compare an unpacked folder with what Python's own modules read, and remove it."""
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            names = [name for name in opened.namelist() if not name.endswith("/")]
            expected = {name: opened.read(name) for name in names}
    else:
        expected = tar_samples.contents(data)
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    return found == expected


# --- archives ------------------------------------------------------------------------------------


def made(entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for name, content in entries.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def with_entry(name: str, content: bytes = b"target", mode: int = 0, system: int = 3) -> bytes:
    """Return a good archive with one more entry, which may be there already."""
    buffer = io.BytesIO(made(GOOD))
    entry = zipfile.ZipInfo(name)
    entry.external_attr, entry.create_system = mode << 16, system
    with zipfile.ZipFile(buffer, "a") as opened:
        opened.writestr(entry, content)
    return buffer.getvalue()


def patched(data: bytes, offset: int, value: bytes, start: bytes = CENTRAL) -> bytes:
    """Overwrite bytes of the last record of a kind."""
    at = data.rindex(start) + offset
    return data[:at] + value + data[at + len(value) :]


def many(count: int, content: bytes, claimed: tuple[int, int] | None = None) -> bytes:
    """Return an archive whose directory names one and the same content `count` times."""
    single = made({"000000.jpg": content})
    start, end = single.index(CENTRAL), single.index(END)
    local, central = single[:start], single[start:end]
    if claimed is not None:
        central = patched(central, 20, struct.pack("<LL", *claimed))
    records = [central.replace(b"000000.jpg", b"%06d.jpg" % i, 1) for i in range(count)]
    directory = b"".join(records)
    ends = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, 0, 0)
    ends = ends[:-16] + struct.pack("<2Q", len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    tail = struct.pack("<4s4H2LH", END, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return local + directory + ends + locator + tail


def bomb() -> bytes:
    """Return a good archive with a file of zeros that expands 1,000 to 1."""
    buffer = io.BytesIO(made({"noise.jpg": random.Random(SEED).randbytes(10_000)}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("bomb.jpg", bytes(10_000_000))
    return buffer.getvalue()


def hostile_names() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield good archives with one name that leads elsewhere, or is another's on some system."""
    names = ["../evil.jpg", "pets/../../evil.jpg", "pets/..", "..", "pets/./evil.jpg"]
    names += ["/etc/evil.jpg", "//host/evil.jpg", "C:/evil.jpg", "c:evil.jpg", "pets/c:evil.jpg"]
    names += [
        "pets//evil.jpg",
        "..\\evil.jpg",
        "pets\\..\\..\\evil.jpg",
        "\\\\host\\evil.jpg",
        "pets/new\nline.jpg",
    ]
    names += ["a/" * 2000 + "deep.jpg", "x" * 300 + ".jpg", "pets/tab\t.jpg", "pets/\x7f\x01.jpg"]
    names += ["pets/cat/1.jpg", "pets/cat/1.JPG", "PETS/cat/9.jpg", "pets/cat", "pets/cat/1.jpg/2"]
    names += [f"pets/in{end}" for end in (".zip", ".tar", ".tar.gz", ".TGZ", ".7z", ".jpg.xz")]
    for name in names:
        yield f"named {name!r}", partial(with_entry, name)
    both = {"caf\u00e9.jpg": b"1", "cafe\u0301.jpg": b"2"}
    yield "one name composed in two ways", partial(made, both)
    yield (
        "one name in two alphabets of case",
        partial(made, {"stra\u00dfe.jpg": b"1", "STRASSE.jpg": b"2"}),
    )


def damaged(count: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield good archives with bytes overwritten, or cut."""
    drawn = random.Random(SEED)
    kinds = [made({**GOOD, "pets/bird/": b""}, zipfile.ZIP_DEFLATED), *tar_samples.good_kinds(GOOD)]
    for number in range(count):
        data = bytearray(kinds[number % len(kinds)])
        for _ in range(drawn.randint(1, 4)):
            data[drawn.randrange(len(data))] = drawn.randrange(256)
        if drawn.random() < 0.2:
            del data[drawn.randrange(len(data)) :]
        yield f"damaged {number}", partial(bytes, data)


LINK = stat.S_IFLNK | 0o777
LARGE = {f"{i}.jpg": bytes(range(256)) * 4 for i in range(20)}
HOSTILE: dict[str, Callable[[], bytes]] = {
    "a link": partial(with_entry, "pets/link.jpg", b"/etc/passwd", LINK),
    "a link that claims to be of DOS": partial(with_entry, "pets/link.jpg", b"..", LINK, 0),
    "a file through a link": lambda: made({"a": b""}) and with_entry("pets/l", b"/tmp", LINK),
    "a FIFO": partial(with_entry, "pets/f.jpg", b"", stat.S_IFIFO | 0o644),
    "a socket": partial(with_entry, "pets/s.jpg", b"", stat.S_IFSOCK | 0o644),
    "a device": partial(with_entry, "pets/d.jpg", b"", stat.S_IFCHR | 0o644),
    "a block device": partial(with_entry, "pets/b.jpg", b"", stat.S_IFBLK | 0o644),
    "a name cut by a NUL": lambda: with_entry("pets/x.jpg_.exe").replace(b"g_.exe", b"g\0.exe"),
    "another name inside": lambda: patched(made(GOOD), 46, b"pets/cow"),
    **{
        f"encrypted, bit {bit:#x}": lambda bit=bit: patched(made(GOOD), 8, struct.pack("<H", bit))
        for bit in (0x1, 0x40, 0x2000)
    },
    "compressed in another way": partial(made, GOOD, zipfile.ZIP_BZIP2),
    "compressed in an unknown way": lambda: patched(made(GOOD), 10, struct.pack("<H", 97)),
    "a bomb": bomb,
    "a bomb of overlapping files": lambda: many(999, b"x" * 20_000),
    "a bomb by claim": lambda: many(2, b"x" * 100, (100, 10_000_000)),
    "21 GiB by claim": lambda: many(21, b"x" * 100, (2**30, 2**30)),
    "too large in total": partial(made, LARGE),
    "too many files": lambda: many(archives.MAX_FILES + 1, b"x"),
    "no files": partial(made, {"pets/": b""}),
    "nothing": partial(made, {}),
    "an empty file": lambda: b"",
    "a page": lambda: b"<html>not found</html>",
    "a start alone": lambda: b"PK\x03\x04",
    "an end alone": lambda: made({}) + b"PK",
    "a flipped bit": lambda: made(GOOD).replace(b"twotwo", b"twotwp", 1),
    **{
        f"said to be {size} bytes": lambda size=size: patched(
            made({"pets/2.jpg": b"two" * 50}, zipfile.ZIP_DEFLATED), 24, struct.pack("<L", size)
        )
        for size in (0, 1, 149, 151, 10_000, 2**32 - 1)
    },
    **{
        f"cut at {tenth} tenths": lambda tenth=tenth: made(GOOD)[: len(made(GOOD)) * tenth // 10]
        for tenth in range(10)
    },
}

if __name__ == "__main__":
    raise SystemExit(main())
