"""Unpack tar files: good ones as programs write them, and hostile ones."""

from __future__ import annotations

import bz2
import gzip
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from extract.datasets.sources import archive as archives
from extract.datasets.sources.archive import check_archive, unpack
from extract.errors import ArchiveError
from tests.extract.datasets.sources.tar_samples import ENTRIES, entry, made, with_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = {"pets/cat/1.jpg": b"one", "pets/dog/2.jpg": b"two" * 500, "pets/dog/empty.txt": b""}


def good(*more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    return with_files(GOOD, *more)


def written(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def refusal(tmp_path: Path) -> Callable[[bytes], str]:
    """Return why an archive is refused; assert that nothing is left."""

    def refusal(data: bytes) -> str:
        (tmp_path / "a.tar").write_bytes(data)
        with pytest.raises(ArchiveError) as judged:
            check_archive(tmp_path / "a.tar")
        with pytest.raises(ArchiveError) as refused:
            unpack(tmp_path / "a.tar", tmp_path / "place/out")
        assert str(judged.value) == str(refused.value)
        assert not list(tmp_path.glob("place/*"))
        assert not list(tmp_path.rglob("*evil*"))
        return str(refused.value)

    return refusal


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress])
def test_a_good_archive_is_unpacked_whole(
    tmp_path: Path, kind: int, packed: Callable[[bytes], bytes]
) -> None:
    """Also with folders, and with the leading point of ``tar c .``."""
    folders = [entry(name, type=tarfile.DIRTYPE) for name in ("./", "./pets", "./pets/bird")]
    files = [entry(f"./{name}", content) for name, content in GOOD.items()]
    (tmp_path / "a.tgz").write_bytes(packed(made(*folders, *files, kind=kind)))
    seen: list[tuple[str, int, int]] = []
    unpack(tmp_path / "a.tgz", tmp_path / "out", progress=lambda *report: seen.append(report))
    assert written(tmp_path / "out") == GOOD
    assert (tmp_path / "out/pets/bird").is_dir()
    assert seen[-1] == ("unpacking a.tgz", 5, 5)


def test_owners_and_permissions_are_not_taken(tmp_path: Path) -> None:
    """A file that nobody may read, or that runs as root, becomes an ordinary one."""
    (tmp_path / "a.tar").write_bytes(made(entry("a.jpg", b"1", mode=0o6000, uid=1234)))
    unpack(tmp_path / "a.tar", tmp_path / "out")
    (tmp_path / "plain").write_bytes(b"1")
    assert (tmp_path / "out/a.jpg").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("name", "encoding"), [("caf\xe9/1.jpg", "latin-1"), ("\u72ac/1.jpg", "cp932")]
)
def test_names_in_other_encodings(tmp_path: Path, name: str, encoding: str) -> None:
    raw = name.encode(encoding)
    data = made(entry("x" * len(raw), b"1"), kind=tarfile.USTAR_FORMAT)
    header = bytearray(data[:512].replace(b"x" * len(raw), raw))
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(header + data[512:])
    unpack(tmp_path / "a.tar", tmp_path / "out")
    assert written(tmp_path / "out") == {name: b"1"}


REASONS = {
    "parent": "'..' part",
    "absolute": "absolute",
    "drive": "absolute",
    "backslashes": "'..' part",
    "new line": "control character",
    "nested": "archive inside",
    "link": "is a link",
    "hard link": "is a link",
    "repeated": "twice",
    "other case": "it contains both",
    "file and folder": "as a folder",
    "sparse": "sparse",
    "endless name": "a header that is too large",
    "negative size": "impossible size",
    "size beyond the file": "expand|damaged or cut",
}


@pytest.mark.parametrize("name", ENTRIES)
def test_one_bad_entry_is_enough(refusal: Callable[[bytes], str], name: str) -> None:
    path, content, fields = ENTRIES[name]
    data = good(entry(path, content, **fields))
    for packed in (data, gzip.compress(data)):
        assert re.search(REASONS.get(name, "special file"), refusal(packed))


def test_a_bomb_is_refused_before_it_has_expanded(
    refusal: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "MAX_FILES", 100)
    data = gzip.compress(good(entry("bomb.jpg", bytes(20_000_000))))
    assert "was refused: it would expand" in refusal(data)


def test_too_many_files_are_refused(
    refusal: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "more than 2" in refusal(good())


def test_an_archive_cut_anywhere_is_refused(refusal: Callable[[bytes], str]) -> None:
    """Also at the border of two entries, which tarfile takes for the end."""
    data = good()
    end = data.rindex(b"two") + 512  # behind it come only an empty file and zeros
    for length in range(0, end, 512):
        assert "cannot be unpacked" in refusal(data[:length])
    packed = gzip.compress(data)
    for length in range(0, len(packed), 20):
        assert "cannot be unpacked" in refusal(packed[:length])


def test_damage_is_refused(refusal: Callable[[bytes], str]) -> None:
    """A damaged header in the middle; a flipped bit under gzip's checksum; a second archive."""
    data = good()
    at = data.index(b"pets/dog/2.jpg")
    assert "damaged or cut after 1 entries" in refusal(data[:at] + b"P" + data[at + 1 :])
    packed = bytearray(gzip.compress(data, 0))
    packed[packed.index(b"twotwo")] ^= 1
    assert "cannot be unpacked" in refusal(bytes(packed))
    assert "more data after its end" in refusal(data + good())
