"""The store: rows are stored once, and read back unchanged or not at all."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cache import CacheError, CacheSchemaError, CorruptCacheError, Store
from cache.maintenance.upkeep import clear, verify
from toolkit.addresses import file_state

CANONICAL = {
    hashlib.sha256(text.encode()).hexdigest(): text
    for text in ('{"backbone":"one"}', '{"backbone":"two"}')
}
F1, F2 = CANONICAL


def digest(i: int) -> str:
    return hashlib.sha256(b"image %d" % i).hexdigest()


def rows(start: int, stop: int) -> np.ndarray:
    return np.stack([np.full((2, 2, 8), i, np.float32) for i in range(start, stop)])


def fill(store: Store, start: int, stop: int, fingerprint: str = F1) -> list[str]:
    digests = [digest(i) for i in range(start, stop)]
    store.append(fingerprint, CANONICAL[fingerprint], digests, rows(start, stop))
    return digests


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "cache").mkdir()
    return Store(tmp_path / "cache")


def shard_files(store: Store) -> list[Path]:
    return sorted((store.folder / "shards").glob("*.npy"))


def test_rows_that_exist_already_leave_no_shard(store: Store) -> None:
    """What another process has committed is stored once, without a second file or record."""
    fill(store, 0, 3)
    store.append(F1, CANONICAL[F1], [digest(1), digest(2)], rows(1, 3))
    assert len(shard_files(store)) == len(store.index.shards()) == 1
    assert store.read(F1, [digest(2)])[0, 0, 0, 0] == 2


def test_rows_are_returned_in_the_requested_order(store: Store) -> None:
    """Reading takes rows from several shards, in any order, repeats included."""
    fill(store, 0, 3)
    fill(store, 3, 5)
    back = store.read(F1, [digest(4), digest(0), digest(4)])
    assert back[:, 0, 0, 0].tolist() == [4, 0, 4]
    assert back.dtype == np.float32
    assert back.shape == (3, 2, 2, 8)


def test_missing_names_each_absent_image_once(store: Store) -> None:
    """Only images without a row under this recipe are missing."""
    fill(store, 0, 2)
    assert store.missing(F1, [digest(1), digest(7), digest(7)]) == [digest(7)]
    assert store.missing(F2, [digest(1)]) == [digest(1)]


def test_recipes_do_not_share_rows(store: Store) -> None:
    """The same image has a row of its own under each recipe."""
    fill(store, 0, 1, F1)
    store.append(F2, CANONICAL[F2], [digest(0)], rows(9, 10))
    assert store.read(F1, [digest(0)])[0, 0, 0, 0] == 0
    assert store.read(F2, [digest(0)])[0, 0, 0, 0] == 9


def test_a_second_store_on_the_folder_sees_what_the_first_committed(store: Store) -> None:
    """A row is visible to all processes once append has returned."""
    digests = fill(store, 0, 3)
    assert Store(store.folder).missing(F1, digests) == []


def test_the_first_commit_of_a_row_wins(store: Store) -> None:
    """Two processes that compute the same image do not disturb each other."""
    fill(store, 0, 2)
    store.append(F1, CANONICAL[F1], [digest(1), digest(2)], rows(11, 13))
    back = store.read(F1, [digest(0), digest(1), digest(2)])
    assert back[:, 0, 0, 0].tolist() == [0, 1, 12]
    assert verify(store).problems == []


def test_a_shard_is_named_by_its_bytes(store: Store) -> None:
    """The name is the SHA-256 of the content, so a copy can be checked without the index."""
    fill(store, 0, 3)
    (path,) = shard_files(store)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_reading_an_absent_row_says_what_to_do(store: Store) -> None:
    """The error names the image and the command that computes it."""
    with pytest.raises(CacheError, match="run python -m extract"):
        store.read(F1, [digest(0)])


def test_a_flipped_bit_is_found_on_read_and_by_verify(store: Store) -> None:
    """A row that differs from what was committed never reaches a caller."""
    fill(store, 0, 3)
    (path,) = shard_files(store)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptCacheError, match="differs from what was committed"):
        store.read(F1, [digest(2)])
    assert store.read(F1, [digest(0)])[0, 0, 0, 0] == 0
    (problem,) = verify(store).problems
    assert path.name in problem


def test_a_truncated_shard_is_refused(store: Store) -> None:
    """A row that no longer exists is an error, not zeros."""
    fill(store, 0, 3)
    (path,) = shard_files(store)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(CorruptCacheError, match="ends before the end of row 2"):
        store.read(F1, [digest(2)])
    assert len(verify(store).problems) == 1


def test_a_wrong_header_is_found_and_not_used(store: Store) -> None:
    """The index knows the place of a row; a header that contradicts it is a problem."""
    fill(store, 0, 3)
    (path,) = shard_files(store)
    path.write_bytes(path.read_bytes().replace(b"(3, 2, 2, 8)", b"(9, 2, 2, 8)"))
    assert store.read(F1, [digest(1)])[0, 0, 0, 0] == 1
    assert len(verify(store).problems) == 1


def test_a_missing_shard_is_found(store: Store) -> None:
    """A file that somebody deleted is an error, not a wrong row."""
    fill(store, 0, 3)
    shard_files(store)[0].unlink()
    with pytest.raises(CorruptCacheError, match="cannot be read"):
        store.read(F1, [digest(0)])
    assert len(verify(store).problems) == 1


def test_verify_counts_what_it_read(store: Store) -> None:
    """An intact cache verifies with its counts and no problem; leftovers are counted separately."""
    fill(store, 0, 3)
    fill(store, 3, 5)
    (store.folder / "shards" / ".tmp-killed").write_bytes(b"half")
    found = verify(store)
    assert (found.shards, found.rows, found.problems, found.leftovers) == (2, 5, [], 1)


def test_clear_removes_one_recipe_or_all(store: Store) -> None:
    """Clearing one recipe keeps the other; clearing all leaves no shard."""
    fill(store, 0, 3, F1)
    store.append(F2, CANONICAL[F2], [digest(0)], rows(9, 10))
    assert len(clear(store, F1)) == 1
    assert [recipe.fingerprint for recipe in store.recipes()] == [F2]
    assert store.read(F2, [digest(0)])[0, 0, 0, 0] == 9
    clear(store)
    assert shard_files(store) == []
    assert store.recipes() == []


def test_two_recipes_with_the_same_numbers_share_a_shard(store: Store) -> None:
    """Clearing one of them keeps the shard for the other."""
    fill(store, 0, 3, F1)
    fill(store, 0, 3, F2)
    assert len(shard_files(store)) == 1
    assert clear(store, F1) == []
    assert store.read(F2, [digest(2)])[0, 0, 0, 0] == 2
    assert [(r.rows, r.shards) for r in store.recipes()] == [(3, 1)]
    assert len(clear(store, F2)) == 1


def test_a_shard_deleted_before_it_is_named_is_written_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may prune a shard of the same bytes between the rename and the index."""
    publish = store.shards.publish

    def then_pruned(data: np.ndarray) -> tuple[str, int]:
        name, size = publish(data)
        monkeypatch.undo()
        store.shards.delete(name)
        return name, size

    monkeypatch.setattr(store.shards, "publish", then_pruned)
    digests = fill(store, 0, 3)
    assert store.read(F1, digests)[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_as_many_digests_as_rows(store: Store) -> None:
    """A caller that pairs rows and images wrongly is stopped before anything is written."""
    with pytest.raises(ValueError, match="1 digests for 2 rows"):
        store.append(F1, CANONICAL[F1], [digest(0)], rows(0, 2))
    assert store.recipes() == []


def test_a_remembered_digest_holds_until_the_file_changes(store: Store, tmp_path: Path) -> None:
    """Path, size, modification time and inode identify the content."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    os.utime(path, (1e9, 1e9))
    store.remember({path: (file_state(path), digest(1))})
    assert store.digests([path, tmp_path / "absent"]) == {path: digest(1)}
    path.write_bytes(b"two")
    assert store.digests([path]) == {}


def test_a_file_changed_just_now_is_not_remembered(store: Store, tmp_path: Path) -> None:
    """A second change within the resolution of the clock would not change the modification time."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"one")
    store.remember({path: (file_state(path), digest(1))})
    assert store.digests([path]) == {}


def test_names_that_are_not_utf8_are_remembered(store: Store, tmp_path: Path) -> None:
    """A file name on Linux may contain any bytes."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))
    path.write_bytes(b"one")
    os.utime(path, (1e9, 1e9))
    store.remember({path: (file_state(path), digest(1))})
    assert store.digests([path]) == {path: digest(1)}


def test_a_newer_schema_is_refused(store: Store) -> None:
    """A cache of a later version is not changed, and the error is one sentence."""
    with sqlite3.connect(store.folder / "index.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CacheSchemaError, match="has schema 99"):
        Store(store.folder)


def test_an_index_that_is_no_database_is_one_error(tmp_path: Path) -> None:
    """Bytes that are no database are reported as damage, with the next step."""
    (tmp_path / "index.sqlite").write_bytes(b"not a database, but long enough to be read" * 9)
    with pytest.raises(CorruptCacheError, match="damaged"):
        Store(tmp_path)


def test_a_full_disk_loses_nothing(store: Store, tmp_path: Path) -> None:
    """When a write fails, committed rows stay and no incomplete shard is left."""
    fill(store, 0, 3)
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import numpy as np, pathlib
from cache import Store, CacheError
store = Store(pathlib.Path({str(store.folder)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    store.append({F1!r}, {CANONICAL[F1]!r}, ["x"], np.zeros((1, 200, 200), np.float32))
except CacheError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot write to the cache" in out.stdout
    assert verify(store).problems == []
    assert verify(store).leftovers == 0
    assert len(store.read(F1, [digest(i) for i in range(3)])) == 3


_WRITER = """
import sys, pathlib, hashlib
sys.path.insert(0, {root!r})
import numpy as np
from cache import Store
store = Store(pathlib.Path({folder!r}))
for i in range(10**6):
    digests = [hashlib.sha256(b"image %d" % j).hexdigest() for j in range(4 * i, 4 * i + 4)]
    data = np.stack([np.full((2, 2, 8), j, np.float32) for j in range(4 * i, 4 * i + 4)])
    store.append({F1!r}, {canonical!r}, digests, data)
    print(4 * i + 4, flush=True)
"""


def test_a_killed_writer_loses_no_committed_row(store: Store) -> None:
    """SIGKILL at a random moment: every row reported as committed exists and is correct."""
    code = _WRITER.format(
        F1=F1,
        canonical=CANONICAL[F1],
        root=str(Path(__file__).parents[2]),
        folder=str(store.folder),
    )
    for kill in range(5):
        writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        committed = int(writer.stdout.readline())
        time.sleep(0.03 * (kill + 1))
        writer.send_signal(signal.SIGKILL)
        committed = max([committed, *map(int, writer.stdout.read().split())])
        writer.wait()
        reopened = Store(store.folder)
        back = reopened.read(F1, [digest(i) for i in range(committed)])
        assert back[:, 0, 0, 0].tolist() == list(range(committed))
        assert verify(reopened).problems == []


def test_several_processes_open_and_fill_a_new_cache_together(tmp_path: Path) -> None:
    """Eight processes start with an empty folder at once: no error, no lost row."""
    code = f"""
import sys, pathlib, hashlib
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import numpy as np
from cache import Store
start = int(sys.argv[1])
store = Store(pathlib.Path({str(tmp_path)!r}))
for i in range(start, start + 20):
    store.append({F1!r}, {CANONICAL[F1]!r}, [hashlib.sha256(b"image %d" % i).hexdigest()],
                 np.full((1, 2, 2, 8), i, np.float32))
"""
    starts = [0, 0, 10, 10, 20, 20, 30, 30]
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(start)], stderr=subprocess.PIPE)
        for start in starts
    ]
    assert [(w.communicate()[1], w.returncode) for w in writers] == [(b"", 0)] * len(starts)
    back = Store(tmp_path).read(F1, [digest(i) for i in range(50)])
    assert back[:, 0, 0, 0].tolist() == list(range(50))
    assert verify(Store(tmp_path)).problems == []
