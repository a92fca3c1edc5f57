"""Paths and addresses, and the status that servers state."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from cache import Store
from toolkit import addresses
from toolkit.addresses import as_path, file_state, is_remote, read_remote, sort_key
from toolkit.errors import AddressError


@pytest.fixture
def bucket() -> str:
    """Return the address of an empty folder in fsspec's memory."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    return "memory://bucket"


def put(address: str, data: bytes) -> Path:
    fsspec.filesystem("memory").pipe(address.removeprefix("memory:/"), data)
    return as_path(address)


def test_parts_are_joined_like_those_of_a_path() -> None:
    """An absolute path or an address replaces the parts before it."""
    assert as_path("a", "b") == Path("a/b")
    assert as_path("a", "/b") == Path("/b")
    assert str(as_path("memory://a/b", "c d#?.jpg")) == "memory://a/b/c d#?.jpg"
    assert str(as_path("/a", "memory://b/c")) == "memory://b/c"
    assert not is_remote(as_path("/data/s3://odd"))


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "reference://x",
        "zip://a::http://b/c.zip",
        "python://x",
        "local:///etc",
    ],
)
def test_other_schemes_are_refused(text: str) -> None:
    """The package fsspec supports more: local files, archives, files that refer to others."""
    with pytest.raises(AddressError, match=r"expected one of s3, .*found"):
        as_path(text)


def test_a_missing_package_is_named() -> None:
    """The error names the missing package; no request is sent."""
    with pytest.raises(AddressError, match=r"Install s3fs.*pip install"):
        as_path("s3://bucket/pictures")


def test_a_chain_of_addresses_is_no_address(bucket: str) -> None:
    """A name that contains another address stays a name."""
    chained = as_path(f"{bucket}/a::file:///etc/passwd")
    with pytest.raises(FileNotFoundError):
        read_remote(chained, 100)


def test_the_status_changes_with_the_content(bucket: str) -> None:
    """It is the same as long as the content is; a missing file has none."""
    path = put(f"{bucket}/a", b"one")
    first = file_state(path)
    assert first is not None
    assert (first.size, file_state(as_path(f"{bucket}/a"))) == (3, first)
    put(f"{bucket}/a", b"two")
    assert file_state(path) not in (None, first)
    assert file_state(as_path(f"{bucket}/b")) is None


def test_without_a_version_from_the_server_there_is_no_status(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and name may stay the same when the content changes."""
    path = put(f"{bucket}/a", b"one")
    monkeypatch.setattr(type(path.fs), "info", lambda *_: {"name": "a", "size": 3})
    assert file_state(path) is None


def test_digests_of_addresses_are_remembered(bucket: str, tmp_path: Path) -> None:
    """They are valid until the server states a change; files are found by their digest."""
    store, path = Store(tmp_path), put(f"{bucket}/a b", b"one")
    state = file_state(path)
    assert state is not None
    store.remember({path: (state, "d" * 64)})
    assert store.digests([path, as_path(f"{bucket}/none")]) == {path: "d" * 64}
    assert store.path_of("d" * 64) == path
    put(f"{bucket}/a b", b"two")
    assert store.digests([path]) == {}


def test_a_file_that_is_too_long_is_not_read_to_its_end(bucket: str) -> None:
    """Reading stops one byte after the limit."""
    assert len(read_remote(put(f"{bucket}/a", bytes(5000)), 1000)) == 1001
    assert read_remote(put(f"{bucket}/b", b"abc"), 3) == b"abc"


def test_a_failing_server_gets_three_attempts(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that, the error says what to do."""
    path = put(f"{bucket}/a", b"abc")
    asked: list[int] = []

    def fail(*_: object, **__: object) -> None:
        asked.append(1)
        raise RuntimeError("reset by peer")

    monkeypatch.setattr(addresses, "_SECONDS_BETWEEN_ATTEMPTS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(type(path.fs), "open", fail)
        with pytest.raises(AddressError, match=r"memory://bucket/a in 3 attempts: reset by peer"):
            read_remote(path, 100)
    assert len(asked) == 3


def test_sorting_is_by_bytes(bucket: str) -> None:
    """As for files, so that a data set has the same order everywhere."""
    paths = [as_path(f"{bucket}/{name}") for name in ("ä", "b", "a")]
    assert sorted(paths, key=sort_key) == [paths[2], paths[1], paths[0]]


def test_local_files_do_not_import_fsspec() -> None:
    """The package fsspec takes time to import and may not be installed."""
    code = (
        "import sys; from toolkit.addresses import as_path, file_state\n"
        "file_state(as_path('/tmp'))\n"
        "assert not {'fsspec', 'upath'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
