"""Unpack hostile archives, and a few good ones."""

from __future__ import annotations

import logging
import re
import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from extract.datasets.sources import archive as archives
from extract.datasets.sources.archive import check_archive, unpack
from extract.errors import ArchiveError
from tests.extract.datasets.sources.zip_samples import GOOD, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make_with(path: Path, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """Make an archive of a good entry and one that `change` has changed."""
    entry = zipfile.ZipInfo("pets/odd.jpg")
    change(entry)
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("pets/good.jpg", b"good")
        opened.writestr(entry, b"target")
    return path


def patched(path: Path, central: bytes, offset: int, value: bytes) -> Path:
    """Overwrite bytes at `offset` of the last central directory record and its local header."""
    data = bytearray(path.read_bytes())
    at = data.rindex(central)
    data[at + offset : at + offset + len(value)] = value
    path.write_bytes(data)
    return path


def refusal(archive: Path, place: Path) -> str:
    """Return why `unpack` and `check_archive` refuse an archive; assert that nothing is left."""
    with pytest.raises(ArchiveError) as judged:
        check_archive(archive)
    with pytest.raises(ArchiveError) as refused:
        unpack(archive, place / "pets")
    assert str(judged.value) == str(refused.value)
    assert list(place.iterdir()) == []
    return str(refused.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_good_archive_is_unpacked_whole(tmp_path: Path, place: Path, method: int) -> None:
    """Every file is unpacked with its bytes, and there is nothing beside the folder."""
    archive = make(tmp_path / "a.zip", {**GOOD, "pets/bird/": b""}, method)
    assert unpack(archive, place / "out") == place / "out"
    assert {
        path.relative_to(place / "out").as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    } == GOOD
    assert (place / "out/pets/bird").is_dir()
    assert [path.name for path in place.iterdir()] == ["out"]


def test_the_folder_can_be_read_by_others(tmp_path: Path, place: Path) -> None:
    """The unpacked folder has the permissions of a new folder, not of a temporary one."""
    unpack(make(tmp_path / "a.zip", GOOD), place / "out")
    (place / "plain").mkdir()
    assert (place / "out").stat().st_mode == (place / "plain").stat().st_mode


def test_progress_counts_the_files(tmp_path: Path, place: Path) -> None:
    """Progress ends at the number of entries."""
    seen: list[tuple[str, int, int]] = []
    archive = make(tmp_path / "a.zip", GOOD)
    unpack(archive, place / "out", progress=lambda *report: seen.append(report))
    assert seen[-1] == ("unpacking a.zip", 3, 3)


def test_metadata_of_macos_is_left_out(tmp_path: Path, place: Path) -> None:
    """Resource forks with names of images do not become images."""
    unpack(make(tmp_path / "a.zip", {**GOOD, "__MACOSX/cat/._1.jpg": b"fork"}), place / "out")
    assert not (place / "out/__MACOSX").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "pets/../../evil.jpg",
        "pets/..",
        "pets/./evil.jpg",
        "pets//evil.jpg",
        "/etc/evil.jpg",
        "C:/evil.jpg",
        "c:evil.jpg",
        "pets/c:evil.jpg",
        "..\\evil.jpg",
        "pets\\..\\..\\evil.jpg",
        "\\\\host\\share\\evil.jpg",
        "pets/new\nline.jpg",
        "a/" * 2000 + "deep.jpg",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, place: Path, name: str) -> None:
    """One bad name is enough to refuse the whole archive."""
    assert "was refused" in refusal(make(tmp_path / "a.zip", {**GOOD, name: b"evil"}), place)
    assert not list(tmp_path.rglob("*evil*"))


def test_a_name_cut_by_a_nul_byte_is_refused(tmp_path: Path, place: Path) -> None:
    """The name in the archive is checked, not what Python makes of it."""
    archive = make(tmp_path / "a.zip", {**GOOD, "pets/x.jpg_.exe": b"evil"})
    archive.write_bytes(archive.read_bytes().replace(b"x.jpg_.exe", b"x.jpg\0.exe"))
    assert "control character" in refusal(archive, place)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (stat.S_IFLNK, "is a link"),
        (stat.S_IFIFO, "special file"),
        (stat.S_IFSOCK, "special file"),
        (stat.S_IFCHR, "special file"),
        (stat.S_IFBLK, "special file"),
    ],
)
def test_links_and_special_files_are_refused(
    tmp_path: Path, place: Path, kind: int, reason: str
) -> None:
    """Only plain files and folders are unpacked."""

    def change(entry: zipfile.ZipInfo) -> None:
        entry.create_system = 3
        entry.external_attr = (kind | 0o777) << 16

    assert reason in refusal(make_with(tmp_path / "a.zip", change), place)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_occurs_twice_is_refused(tmp_path: Path, place: Path) -> None:
    """It would be unclear which of two files with one name counts."""
    archive = make_with(
        tmp_path / "a.zip", lambda entry: setattr(entry, "filename", "pets/good.jpg")
    )
    assert "twice" in refusal(archive, place)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("pets/Cat.jpg", "pets/cat.JPG"),
        ("Pets/1.jpg", "pets/2.jpg"),
        ("stra\u00dfe.jpg", "STRASSE.jpg"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
    ],
)
def test_names_that_are_equal_on_other_systems_are_refused(
    tmp_path: Path, place: Path, first: str, second: str
) -> None:
    """Names of files and folders must differ in more than case and Unicode composition."""
    assert "it contains both" in refusal(
        make(tmp_path / "a.zip", {first: b"1", second: b"2"}), place
    )


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, place: Path) -> None:
    """A name belongs to a file or to a folder, not to both."""
    assert "as a folder" in refusal(
        make(tmp_path / "a.zip", {"pets/x": b"1", "pets/x/y": b"2"}), place
    )


@pytest.mark.parametrize("bit", [0x1, 0x40, 0x2000])
def test_encrypted_entries_are_refused(tmp_path: Path, place: Path, bit: int) -> None:
    """Passwords are not supported."""
    archive = make(tmp_path / "a.zip", GOOD)
    assert "is encrypted" in refusal(
        patched(archive, b"PK\x01\x02", 8, struct.pack("<H", bit)), place
    )


@pytest.mark.parametrize("name", ["in.zip", "in.tar", "in.tar.gz", "IN.TGZ", "in.7z", "in.jpg.xz"])
def test_nested_archives_are_refused(tmp_path: Path, place: Path, name: str) -> None:
    """A data set needs no archive in an archive."""
    assert "archive inside" in refusal(
        make(tmp_path / "a.zip", {**GOOD, f"pets/{name}": b"PK"}), place
    )


def test_other_compressions_are_refused(tmp_path: Path, place: Path) -> None:
    """Only the two common compression methods are supported."""
    archive = make(tmp_path / "a.zip", GOOD, zipfile.ZIP_BZIP2)
    assert "not stored or deflated" in refusal(archive, place)


def test_too_many_files_are_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of entries has a limit."""
    monkeypatch.setattr(archives, "MAX_FILES", 2)
    assert "3 entries" in refusal(make(tmp_path / "a.zip", GOOD), place)


def test_too_many_folders_on_the_way_are_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders without an entry of their own are counted, too."""
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    assert "more than 10" in refusal(
        make(tmp_path / "a.zip", {"a/b/c/d/e/f/g/h/i/j/k.jpg": b"1"}), place
    )


def test_too_many_bytes_are_refused(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of the sizes has a limit."""
    monkeypatch.setattr(archives, "MAX_BYTES", 100)
    assert "would expand to 153 bytes" in refusal(make(tmp_path / "a.zip", GOOD), place)


def test_white_scans_are_no_bomb(tmp_path: Path, place: Path) -> None:
    """Pictures that are packed 1,000 to 1 are harmless, as long as all together are."""
    archive = make(tmp_path / "a.zip", {"scan.bmp": bytes(10_000_000)}, zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 20_000
    unpack(archive, place / "out")
    assert (place / "out/scan.bmp").stat().st_size == 10_000_000


def test_a_bomb_is_refused(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum of all files counts, once it is more than is harmless."""
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 1_000_000)
    files = {f"{number}.jpg": bytes(300_000) for number in range(4)}
    archive = make(tmp_path / "a.zip", files, zipfile.ZIP_DEFLATED)
    assert "it would expand more than 100 to 1" in refusal(archive, place)


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path, place: Path) -> None:
    """Many entries that refer to the same bytes expand the file, although none does alone."""
    single = make(tmp_path / "one.zip", {"000.jpg": b"x" * 20_000}).read_bytes()
    start, end = single.index(b"PK\x01\x02"), single.index(b"PK\x05\x06")
    local, central = single[:start], single[start:end]
    records = [central.replace(b"000.jpg", b"%03d.jpg" % number) for number in range(2)]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, 2 * len(central), start, 0)
    archive = tmp_path / "a.zip"
    archive.write_bytes(local + b"".join(records) + tail)
    assert "share the same bytes" in refusal(archive, place)


@pytest.mark.parametrize(
    ("written", "unpacked"),
    [
        (["pets\\cat\\1.jpg", "pets\\dog\\2.jpg"], ["pets/cat/1.jpg", "pets/dog/2.jpg"]),
        (["./", "./cat/", "./cat/1.jpg"], ["cat/1.jpg"]),
    ],
)
def test_names_as_other_programs_write_them(
    tmp_path: Path, place: Path, written: list[str], unpacked: list[str]
) -> None:
    """Backslashes of Windows, and the leading point of tar."""
    files = {name: b"" if name.endswith("/") else b"1" for name in written}
    unpack(make(tmp_path / "a.zip", files), place / "out")
    assert listing(place / "out") == unpacked


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("Stra\xdfe/K\xe4se.jpg", "cp437"),
        ("caf\xe9/\xfcber.jpg", "cp1252"),
        ("\u72ac/\u732b\u3068\u72ac.jpg", "cp932"),
        ("\u043a\u043e\u0442/1.jpg", "cp866"),
        ("caf\xe9/\u72ac.jpg", "utf-8"),
    ],
)
def test_names_in_encodings_that_are_not_stated(
    tmp_path: Path, place: Path, name: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Zip programs of several systems write names in their own encoding; a guess is said."""
    raw = name.encode(encoding)
    archive = make(tmp_path / "a.zip", {"x" * len(raw): b"1"})
    archive.write_bytes(archive.read_bytes().replace(b"x" * len(raw), raw))
    with caplog.at_level(logging.INFO, logger="extract"):
        unpack(archive, place / "out")
    assert listing(place / "out") == [name]
    said = f"a.zip does not state the encoding of its names; they were read as {encoding}, as "
    assert (said + repr(name) in caplog.text) == (encoding != "utf-8")


def listing(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


@pytest.mark.parametrize("declared", [1, 149, 151, 10_000])
def test_a_wrong_size_is_refused(tmp_path: Path, place: Path, declared: int) -> None:
    """The unpacked bytes are counted, whatever size the archive states."""
    archive = make(tmp_path / "a.zip", {"pets/2.jpg": b"two" * 50}, zipfile.ZIP_DEFLATED)
    patched(archive, b"PK\x01\x02", 24, struct.pack("<L", declared))
    assert re.search("cannot be unpacked|was refused", refusal(archive, place))


def test_a_flipped_bit_is_refused(tmp_path: Path, place: Path) -> None:
    """Checksums are compared."""
    archive = make(tmp_path / "a.zip", GOOD)
    archive.write_bytes(archive.read_bytes().replace(b"twotwo", b"twotwp", 1))
    assert "cannot be unpacked" in refusal(archive, place)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04", b"\x00" * 99])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, place: Path, content: bytes) -> None:
    """An error page saved as .zip is refused."""
    (tmp_path / "a.zip").write_bytes(content)
    assert "cannot be unpacked" in refusal(tmp_path / "a.zip", place)


def test_an_archive_without_files_is_refused(tmp_path: Path, place: Path) -> None:
    """An archive of folders only is refused."""
    assert "no files" in refusal(make(tmp_path / "a.zip", {"pets/": b""}), place)


def test_a_truncated_archive_is_refused(tmp_path: Path, place: Path) -> None:
    """An archive truncated at any tenth is refused."""
    data = make(tmp_path / "a.zip", GOOD).read_bytes()
    for tenth in range(10):
        (tmp_path / "cut.zip").write_bytes(data[: len(data) * tenth // 10])
        assert "cannot be unpacked" in refusal(tmp_path / "cut.zip", place)


@pytest.mark.parametrize(
    "name", ["x" * 252 + ".jpg", "\u00e9" * 130 + ".jpg", "x" * 200 + "/y" * 900]
)
def test_a_name_too_long_for_a_disk_is_refused(tmp_path: Path, place: Path, name: str) -> None:
    """Names that no file system accepts are refused by the check after a download."""
    assert re.search(
        "too long|deep", refusal(make(tmp_path / "a.zip", {**GOOD, name: b"1"}), place)
    )
