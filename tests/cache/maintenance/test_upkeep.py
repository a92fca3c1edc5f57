"""Maintenance of a cache: pruned by use, repaired, and never deleted under a running command."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from cache import CorruptCacheError, Store
from cache.cli import main
from cache.maintenance.upkeep import prune, verify

ROOT = Path(__file__).parents[3]
CANONICAL = {
    hashlib.sha256(text.encode()).hexdigest(): text
    for text in ('{"backbone":"one"}', '{"backbone":"two"}')
}
F1, F2 = CANONICAL


def digest(i: int) -> str:
    return hashlib.sha256(b"image %d" % i).hexdigest()


def fill(store: Store, i: int, fingerprint: str = F1) -> None:
    """Commit a shard of one row, a little over 4 KB."""
    row = np.full((1, 1024), i, np.float32)
    store.append(fingerprint, CANONICAL[fingerprint], [digest(i)], row)
    time.sleep(0.002)  # so that the times of use differ


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a cache with six shards of the first recipe and one of the second; no command runs."""
    store = Store(tmp_path)
    for i in range(6):
        fill(store, i)
    fill(store, 6, F2)
    del store
    return tmp_path


def there(folder: Path) -> set[int]:
    store = Store(folder)
    return {
        i for i in range(7) for f in CANONICAL if not store.missing(f, [digest(i)])
    }  # fmt: skip


def test_the_least_recently_used_go_first(folder: Path) -> None:
    """What was read last stays, whatever was written last."""
    Store(folder).read(F1, [digest(0)])
    gone = prune(Store(folder), max_bytes=3 * 4224)
    assert len(gone) == 4
    assert there(folder) == {0, 5, 6}


def test_a_recipe_is_pruned_alone(folder: Path) -> None:
    """The other recipe's embeddings stay."""
    assert len(prune(Store(folder), fingerprint=F1)) == 6
    assert there(folder) == {6}


def test_only_what_is_older_is_pruned(folder: Path) -> None:
    """The age is the time since the last use."""
    assert prune(Store(folder), older_than=3600) == []
    time.sleep(0.2)
    Store(folder).read(F1, [digest(3)])
    prune(Store(folder), older_than=0.15)
    assert there(folder) == {3}


def test_a_dry_run_deletes_nothing(folder: Path, capsys: pytest.CaptureFixture) -> None:
    """It returns what would be deleted."""
    assert main(["prune", "--max-size", "9kB", "--dry-run", "--cache", str(folder)]) == 0
    assert "would delete 5 shards" in capsys.readouterr().out
    assert main(["ls", "--max-size", "9kB", "--cache", str(folder)]) == 0
    assert "prune would delete 5 shards" in capsys.readouterr().out
    assert len(list((folder / "shards").iterdir())) == 7
    assert main(["prune", "--max-size", "9kB", "--cache", str(folder)]) == 0
    assert "deleted 5 shards, 0.0 MB; 0.0 MB of embeddings are left" in capsys.readouterr().out
    assert len(list((folder / "shards").iterdir())) == 2


def test_a_running_commands_rows_stay(folder: Path) -> None:
    """A process that has located its rows can read them after everything else was pruned."""
    code = textwrap.dedent(f"""
        import sys, pathlib
        sys.path.insert(0, {str(ROOT)!r})
        from cache import Store
        store = Store(pathlib.Path({str(folder)!r}))
        assert store.missing({F1!r}, [{digest(0)!r}, {digest(1)!r}]) == []
        print("ready", flush=True)
        sys.stdin.readline()
        print(store.read({F1!r}, [{digest(0)!r}, {digest(1)!r}])[:, 0].tolist())
    """)
    reader = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    assert len(prune(Store(folder), max_bytes=0)) == 5
    out, _ = reader.communicate("go\n", timeout=60)
    assert out == "[0.0, 1.0]\n"
    assert len(prune(Store(folder), max_bytes=0)) == 2


def test_the_lease_of_a_killed_command_is_deleted(folder: Path) -> None:
    """The system releases the lock of a dead process; its lease is deleted."""
    code = textwrap.dedent(f"""
        import os, signal, sys, pathlib
        sys.path.insert(0, {str(ROOT)!r})
        from cache import Store
        store = Store(pathlib.Path({str(folder)!r}))
        store.missing({F1!r}, [{digest(0)!r}])
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list((folder / "leases").iterdir())) == 1
    assert len(prune(Store(folder), max_bytes=0)) == 7
    assert list((folder / "leases").iterdir()) == []


def test_repair_drops_only_the_damaged_row(folder: Path) -> None:
    """Intact rows stay; the damaged one is missing, so that the next run computes it again."""
    store = Store(folder)
    row = np.zeros((3, 1024), np.float32)
    row[:] = [[10], [11], [12]]
    store.append(F1, CANONICAL[F1], [digest(10), digest(11), digest(12)], row)
    shard = max((folder / "shards").glob("*.npy"), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(CorruptCacheError, match="python -m cache repair"):
        store.read(F1, [digest(12)])
    assert main(["verify", "--repair", "--quiet", "--cache", str(folder)]) == 0
    assert verify(Store(folder)).problems == []
    assert Store(folder).missing(F1, [digest(0), digest(12)]) == [digest(12)]


def test_repair_renames_an_index_that_is_no_database(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    """It is renamed, not deleted, and the cache can be used again."""
    (folder / "index.sqlite").write_bytes(b"no database at all " * 50)
    assert main(["verify", "--cache", str(folder)]) == 2
    assert "python -m cache repair renames it" in capsys.readouterr().err
    assert main(["repair", "--cache", str(folder)]) == 0
    assert len(list(folder.glob("index.damaged-*.sqlite"))) == 1
    fill(Store(folder), 1)
    assert there(folder) == {1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing selects what to delete"),
        (["--max-size", "big"], "expected a size like 500MB"),
        (["--older-than", "30"], "expected an age like 12h"),
        (["--older-than", "infd"], "expected an age like 12h"),
        (["--recipe", "zz"], "one recipe that begins with 'zz', found 0"),
    ],
)
def test_prune_explains_wrong_arguments(
    folder: Path, capsys: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    """Status 2, and nothing is deleted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        try:
            status: object = main(["prune", *arguments, "--cache", str(folder)])
        except SystemExit as stopped:
            status = stopped.code
    assert status == 2
    assert message in capsys.readouterr().err
    assert len(list((folder / "shards").iterdir())) == 7
