"""How batches follow each other, and what is kept if something fails or is interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cache import CacheError, Store
from extract.images.decoders.pool import DecoderError
from extract.pipeline import extract

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

from tests.extract.pipeline.stub import RECIPE, StubEngine, colours, draw


def test_an_engine_that_fails_keeps_what_was_committed(store: Store, tmp_path: Path) -> None:
    """The next run continues from the last shard."""
    paths = draw(tmp_path / "d", 0, 200)

    class Failing(StubEngine):
        def __call__(self, images: np.ndarray) -> np.ndarray:
            if len(self.batches) == 6:
                raise MemoryError
            return super().__call__(images)

    with pytest.raises(MemoryError):
        extract(paths, RECIPE, store, Failing, batch_size=32)
    engine = StubEngine()
    done = extract(paths, RECIPE, store, lambda: engine, batch_size=32)
    assert done.cached >= 128
    assert done.cached + sum(engine.batches) == 200
    assert colours(store, [done.digests[p] for p in paths]) == list(range(200))


class Overlapping(StubEngine):
    """Computes a batch when it is waited for, so that others can begin before."""

    def __init__(self, interrupted: str = "", images_at_once: int = 16) -> None:
        super().__init__()
        self.images_at_once = images_at_once
        self.events: list[str] = []
        self.most = 0
        self._interrupted = interrupted

    def begin(self, images: np.ndarray) -> Callable[[], np.ndarray]:
        self._note("begin")
        number = self.events.count("begin")
        self.most = max(self.most, number - len(self.batches))

        def finish() -> np.ndarray:
            self._note("finish")
            return self(images)

        return finish

    def _note(self, event: str) -> None:
        self.events.append(event)
        if self._interrupted == f"{event} {self.events.count(event)}":
            raise KeyboardInterrupt


@pytest.mark.parametrize(("images_at_once", "most"), [(2, 2), (32, 2), (33, 3), (2000, 10)])
def test_the_next_batch_begins_before_the_last_one_is_finished(
    images_at_once: int, most: int, store: Store, tmp_path: Path
) -> None:
    """As many at once as keep the cores busy, and not more; each row goes to its own image."""
    paths, engine = draw(tmp_path / "d", 0, 300), Overlapping(images_at_once=images_at_once)
    done = extract(paths, RECIPE, store, lambda: engine, batch_size=32)
    assert colours(store, [done.digests[p] for p in paths]) == list(range(300))
    assert engine.batches == [32] * 9 + [12]
    assert engine.most == most


@pytest.mark.parametrize("n", [63, 64, 97, 300])
def test_the_shards_do_not_depend_on_how_many_batches_are_computed_at_once(
    n: int, store: Store, tmp_path: Path
) -> None:
    """A cache is the same byte for byte on a machine with more cores, or on a cluster."""
    paths, shards = draw(tmp_path / "d", 0, n), []
    (tmp_path / "other").mkdir()
    many = Overlapping(images_at_once=128)
    for each, engine in ((store, StubEngine()), (Store(tmp_path / "other"), many)):
        extract(paths, RECIPE, each, lambda engine=engine: engine, batch_size=32)  # type: ignore[misc]
        shards.append({f.name: f.read_bytes() for f in (each.folder / "shards").glob("*.npy")})
    assert len(shards[0]) == -(-n // 64)
    assert shards[0] == shards[1]


def test_progress_counts_what_is_finished(store: Store, tmp_path: Path) -> None:
    """Not what has only begun."""
    paths, engine = draw(tmp_path / "d", 0, 300), Overlapping()
    seen: list[tuple[int, int]] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "computing embeddings":
            seen.append((done, sum(engine.batches)))

    extract(paths, RECIPE, store, lambda: engine, batch_size=32, progress=progress)
    assert len(seen) > 5
    assert all(done <= finished for done, finished in seen)
    assert seen[-1] == (300, 300)


@pytest.mark.parametrize("interrupted", ["begin 4", "finish 2"])
def test_ctrl_c_finishes_the_batches_that_have_begun(
    interrupted: str, store: Store, tmp_path: Path
) -> None:
    """Nothing that was computed is lost, also what was waited for."""
    paths, engine = draw(tmp_path / "d", 0, 100), Overlapping(interrupted)
    with pytest.raises(KeyboardInterrupt, match="48 embeddings computed and kept, 52 left"):
        extract(paths, RECIPE, store, lambda: engine, batch_size=16)
    assert extract(paths, RECIPE, store, StubEngine).cached == 48


def test_a_cache_that_cannot_be_written_is_one_error(store: Store, tmp_path: Path) -> None:
    """The commit runs in another thread; its error still reaches the caller."""
    (store.folder / "shards").write_text("a file where the folder should be")
    with pytest.raises(CacheError, match="cannot write to the cache"):
        extract(draw(tmp_path / "d", 0, 100), RECIPE, store, StubEngine)


def test_ctrl_c_keeps_everything_computed(tmp_path: Path) -> None:
    """SIGINT in the middle: status 130, one sentence, and the next run continues from there."""
    paths = draw(tmp_path / "d", 0, 300)
    (tmp_path / "cache").mkdir()
    code = textwrap.dedent(f"""
        import signal, sys, time
        # A shell that runs the tests in the background has them ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from argparse import Namespace
        from pathlib import Path
        from cache import Store
        from toolkit.console import run
        from extract.pipeline import computation, extract
        from tests.extract.pipeline.stub import RECIPE, StubEngine
        class Slow(StubEngine):
            def __call__(self, images):
                print("batch", flush=True)
                time.sleep(0.1)
                return super().__call__(images)
        paths = sorted(Path({str(tmp_path / "d")!r}).iterdir())
        store = Store(Path({str(tmp_path / "cache")!r}))
        sys.exit(run(lambda args: extract(paths, RECIPE, store, Slow, batch_size=10), Namespace()))
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    batches = 4 + out.count("batch")
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the same command continues from there" in err
    done = extract(paths, RECIPE, Store(tmp_path / "cache"), StubEngine)
    assert done.cached == 10 * batches or done.cached == 10 * (batches - 1)
    assert done.cached > 0
    assert str(done.cached) in err


def test_progress_counts_up_to_the_total(store: Store, tmp_path: Path) -> None:
    """Both stages report progress that only increases, and ends complete."""
    seen: dict[str, list[int]] = {}

    def progress(stage: str, done: int, total: int) -> None:
        assert total == 70
        seen.setdefault(stage, []).append(done)

    extract(draw(tmp_path / "d", 0, 70), RECIPE, store, StubEngine, progress=progress)
    assert list(seen) == ["hashing images", "computing embeddings"]
    for counts in seen.values():
        assert counts == sorted(counts)
        assert counts[-1] == 70


def test_a_decoder_that_cannot_start_is_one_error(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No image is reported as unusable."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(DecoderError, match="cannot start a process that decodes images"):
        extract(draw(tmp_path / "d", 0, 3), RECIPE, store, StubEngine)


def test_a_warm_run_imports_no_decoder(store: Store, tmp_path: Path) -> None:
    """For images in the cache, OpenCV and Pillow are not imported and no process is started."""
    paths = draw(tmp_path / "d", 0, 3)
    extract(paths, RECIPE, store, StubEngine)
    code = f"""
        import subprocess, sys
        sys.path[:0] = [{str(Path(__file__).parents[3])!r}]
        subprocess.Popen = None
        from pathlib import Path
        from cache import Store
        from extract.pipeline import computation, extract
        from extract.recipe import Recipe
        recipe = Recipe(weights="0" * 64, preprocessing="torch", size=32)
        paths = [Path(name) for name in sys.argv[2:]]
        assert extract(paths, recipe, Store(Path(sys.argv[1])), None).cached == 3
        assert not {{"cv2", "PIL", "tensorflow"}} & set(sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(store.folder), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
