"""Runs that are stopped, and go on; and two runs that want the same folder."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from classify import Centroid, ClassifierError, DenseHead, compare
from classify.experiment.recording import unfinished
from classify.experiment.recording.folder import LOCK_NAME, RunFolder
from classify.experiment.recording.unfinished import FILE_NAME
from classify.experiment.run import RunStopped
from reports import read_run, tables
from reports.cli import main as reports_main
from reports.json_summary import summary
from reports.pages import page
from tests.classify.experiment.test_compare import blobs
from tests.commands import ROOT, python
from tests.html import text_of

if TYPE_CHECKING:
    from pathlib import Path


class Interruptible(LogisticRegression):
    """A classifier during whose training somebody presses Ctrl-C, if `pressed`."""

    pressed = True

    def fit(self, *args: Any) -> Any:
        if self.pressed:
            raise KeyboardInterrupt
        return super().fit(*args)


CLASSIFIERS = ["centroid", "nearest", Interruptible(), "logreg"]
SETTINGS: dict[str, Any] = {"calibrate": True, "learning_curve": True}


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run that was stopped, whose third classifier now trains."""
    with pytest.raises(RunStopped) as caught:
        compare(blobs(), None, CLASSIFIERS, **SETTINGS, out=tmp_path / "out")
    assert caught.value.run.not_done[0] == "Interruptible"
    monkeypatch.setattr(Interruptible, "pressed", False)
    return tmp_path / "out"


def test_a_stopped_run_says_what_is_not_done(stopped: Path) -> None:
    """In run.json, on the page, in the summary for programs, and in a notebook."""
    record = json.loads((stopped / "run.json").read_text())
    missing = ["Interruptible", "learning curve of Interruptible", "logreg",
               "learning curve of logreg"]  # fmt: skip
    assert list(record["asked"]) == ["centroid", "nearest", "Interruptible", "logreg"]
    assert record["not_done"] == missing
    run = read_run(stopped)
    assert summary(stopped, run.record)["not_done"] == missing
    sentence = "This run was stopped before it was complete. Not done: Interruptible, "
    for text in (text_of(stopped / "report.html"), repr(run), run._repr_html_()):
        assert sentence in text
    assert not (stopped / LOCK_NAME).exists()


def test_the_same_command_goes_on(stopped: Path, tmp_path: Path) -> None:
    """What is finished is not trained again, and the end is that of a run without a stop."""
    finished = (stopped / "centroid.skops").stat().st_mtime_ns
    before = read_run(stopped).record.phases
    stages: list[str] = []
    run = compare(
        blobs(), None, CLASSIFIERS, **SETTINGS, out=stopped,
        progress=lambda stage, *_: stages.append(stage),
    )  # fmt: skip
    assert (stopped / "centroid.skops").stat().st_mtime_ns == finished
    assert not any("entroid" in stage for stage in stages)
    assert not (stopped / FILE_NAME).exists()
    assert run.record.not_done == []
    assert run.record.phases["centroid: training"] == before["centroid: training"]
    assert run.record.phases["writing the report"] > before["writing the report"] > 0
    whole = compare(blobs(), None, CLASSIFIERS, **SETTINGS, out=tmp_path / "whole")
    pd.testing.assert_frame_equal(run.predictions, whole.predictions)
    pd.testing.assert_frame_equal(run.comparisons, whole.comparisons)
    pd.testing.assert_frame_equal(run.learning_curves, whole.learning_curves)
    same = [column for column in run.results.columns if not column.endswith("seconds")]
    pd.testing.assert_frame_equal(run.results[same], whole.results[same])
    assert run.record.results[0].validation == whole.record.results[0].validation
    with pytest.raises(ClassifierError, match="is not empty"):
        compare(blobs(), None, CLASSIFIERS, **SETTINGS, out=stopped)


def press_after(monkeypatch: pytest.MonkeyPatch, target: Any, name: str) -> None:
    """Have Ctrl-C pressed when a function has done its work."""
    real = getattr(target, name)

    def then_press(*args: Any, **options: Any) -> Any:
        done = real(*args, **options)
        signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(target, name, then_press)


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_ctrl_c_before_a_classifier_has_finished_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is saved first; without a record it would only be in the way."""
    with monkeypatch.context() as patched:
        press_after(patched, RunFolder, "save_model")
        with pytest.raises(KeyboardInterrupt, match="stopped: no classifier had finished"):
            compare(blobs(), None, ["centroid", "nearest"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize("name", ["write_metrics", "write_predictions", "write_pictures"])
def test_ctrl_c_while_the_tables_are_written_loses_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record follows; the message says how to get the page."""
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        press_after(patched, tables, name)
        with pytest.raises(KeyboardInterrupt, match=f"python -m reports {out} writes the report"):
            compare(blobs(), None, ["centroid", "nearest"], out=out)
    assert len(read_run(out).record.results) == 2
    with pytest.raises(ClassifierError, match=f"write it with python -m reports {out}, or"):
        compare(blobs(), None, ["centroid", "nearest"], out=out)
    assert reports_main([str(out)]) == 0
    assert "centroid" in text_of(out / "report.html")


@pytest.mark.usefixtures("ctrl_c_interrupts")
@pytest.mark.parametrize(
    ("target", "name"),
    [(tables, "write_metrics"), (unfinished, "save"), (page, "write")],
    ids=["tables", "unfinished", "page"],
)
def test_a_second_ctrl_c_while_the_first_is_obeyed_loses_nothing(
    target: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command goes on, as after one."""
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        press_after(patched, target, name)
        with pytest.raises(KeyboardInterrupt, match=r"the same command .* goes on, and writes"):
            compare(blobs(), None, CLASSIFIERS, out=out)
    monkeypatch.setattr(Interruptible, "pressed", False)
    trained: list[str] = []
    run = compare(
        blobs(), None, CLASSIFIERS, out=out, progress=lambda stage, *_: trained.append(stage)
    )
    assert len(run.record.results) == len(CLASSIFIERS)
    assert not any("entroid" in stage for stage in trained)
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"calibrate": False}, r"calibrate \(True there, False here\)"),
        ({"classifiers": ["centroid", "nearest"]}, r"classifiers \(centroid, nearest, Interrupt"),
        ({"classifiers": [Centroid(), "nearest", Interruptible(C=2), "logreg"]}, "Interruptible"),
        ({"data": blobs(seed=1)}, "the images, labels, groups or splits"),
    ],
)
def test_another_command_does_not_go_on(stopped: Path, changed: Any, words: str) -> None:
    """What differs is named, and the folder stays as it is."""
    before = (stopped / "run.json").read_bytes()
    arguments = {"data": blobs(), "classifiers": CLASSIFIERS, **SETTINGS, **changed}
    with pytest.raises(ClassifierError, match=words) as caught:
        compare(**arguments, out=stopped)
    assert caught.value.setting == "out"
    assert (stopped / "run.json").read_bytes() == before


def test_a_stopped_run_that_is_damaged_is_refused(stopped: Path) -> None:
    """Its arrays are never unpickled."""
    np.savez(stopped / FILE_NAME, **{"held-out/centroid/rows": np.array([{}])})  # type: ignore[arg-type]
    with pytest.raises(ClassifierError, match=f"{FILE_NAME}, which is needed to go on, cannot be"):
        compare(blobs(), None, CLASSIFIERS, **SETTINGS, out=stopped)


def test_a_folder_is_for_one_run_at_a_time(tmp_path: Path) -> None:
    """The second is refused before it computes anything; the first is not disturbed."""
    with RunFolder.opened(tmp_path / "out", "svm") as folder:
        with pytest.raises(ClassifierError, match=r"another command is writing to .*out") as caught:
            compare(blobs(), None, "centroid", out=tmp_path / "out")
        assert caught.value.setting == "out"
        (folder.path / "svm.skops").touch()
    assert [path.name for path in folder.path.iterdir()] == ["svm.skops"]


RUN_THAT_IS_KILLED = """
import os, signal, sys
from pathlib import Path
from sklearn.linear_model import LogisticRegression
from classify import compare
from tests.classify.experiment.test_compare import blobs

class Killed(LogisticRegression):
    def fit(self, *args):
        os.kill(os.getpid(), signal.SIGKILL)

compare(blobs(), None, ["centroid", "nearest", Killed()], out=Path(sys.argv[1]))
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """Return the folder of a run whose process was killed during its third training."""
    done = python("-c", RUN_THAT_IS_KILLED, str(tmp_path / "out"), cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {LOCK_NAME, "centroid.skops", "nearest.skops"}
    return tmp_path / "out"


@pytest.mark.slow
def test_the_folder_of_a_killed_run_can_be_used_again(killed: Path) -> None:
    """By any run, and no model of the killed one stays."""
    run = compare(blobs(), None, "centroid", out=killed)
    assert run.record.not_done == []
    assert [path.name for path in killed.glob("*.skops")] == ["centroid.skops"]
    assert not (killed / LOCK_NAME).exists()


@pytest.mark.slow
def test_what_a_run_does_not_write_is_never_deleted(killed: Path) -> None:
    """A file, a link or a folder of the user's: then the folder is refused as it is."""
    (killed / "notes.txt").write_text("mine")
    with pytest.raises(ClassifierError, match="is not empty"):
        compare(blobs(), None, "centroid", out=killed)
    assert {path.name for path in killed.iterdir()} == {
        "notes.txt", "centroid.skops", "nearest.skops",
    }  # fmt: skip


def test_a_finished_run_without_a_page_says_what_is_missing(tmp_path: Path) -> None:
    """Killed after its record was written: nothing is lost, and nothing is overwritten."""
    compare(blobs(), None, "centroid", out=tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    with pytest.raises(ClassifierError, match="finished run whose page was not written"):
        compare(blobs(), None, "centroid", out=tmp_path / "out")


@pytest.mark.slow
def test_learning_rates_that_are_finished_are_kept(tmp_path: Path) -> None:
    """Also if no classifier is; the page and the record are there."""
    network = DenseHead(epochs=2, learning_rate=[1e-3, 1e-2])

    def stop(_: str, done: int, total: int) -> None:
        if done == total // 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(RunStopped, match=r"stopped: 1 learning rate of dense is kept in .*out"):
        compare(blobs(), None, network, out=tmp_path / "out", progress=stop)
    assert read_run(tmp_path / "out").record.results == []
    calls: list[tuple[str, int, int]] = []
    run = compare(
        blobs(), None, network, out=tmp_path / "out", progress=lambda *call: calls.append(call)
    )
    assert calls[0][1] > calls[0][2] // 2
    whole = compare(blobs(), None, network, out=tmp_path / "whole")
    pd.testing.assert_frame_equal(run.predictions, whole.predictions)
    assert run.record.results[0].sweep == whole.record.results[0].sweep
