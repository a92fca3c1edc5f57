"""A run on images that come in groups says how sure it is by groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from classify import compare
from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.experiment.candidates import candidates_of
from classify.experiment.features import ArrayFeatures
from classify.experiment.inputs import ArrayInputs
from classify.experiment.run import run
from classify.experiment.settings import RunSettings, TrainingSettings
from extract.datasets.dataset import Dataset, Item
from reports.reading import read_record
from reports.tables import remarks
from toolkit.statistics import wilson

if TYPE_CHECKING:
    from reports.records import Run

COPIES = 6


@dataclass(frozen=True)
class Split(ArrayInputs):
    """Embeddings of which two of three images are for training, each in six copies."""

    grouped: bool = True

    def features(self, *_) -> list[ArrayFeatures]:
        items = tuple(
            Item(
                Path(f"row-{row}"),
                label,
                "test" if row // COPIES % 3 == 0 else "train",
                f"animal {row // COPIES}" if self.grouped else None,
            )
            for row, label in enumerate(self.labels)
        )
        return [ArrayFeatures(Dataset("embeddings", Path(), items), self.X)]


def embeddings() -> tuple[np.ndarray, list[str]]:
    """Return two classes that overlap, in groups of six equal rows."""
    rng = np.random.default_rng(0)
    labels = np.array(["cat", "dog"])[np.arange(180) // 3 % 2]
    X = rng.normal(size=(180, 10)) + 0.5 * (labels == "dog")[:, None]
    return X.repeat(COPIES, axis=0).astype(np.float32), labels.repeat(COPIES).tolist()


def recorded(folder: Path, *, grouped: bool) -> Run:
    inputs = Split(*embeddings(), grouped=grouped)
    settings = RunSettings(target_precision=0.6)
    candidates = candidates_of([Centroid(), LogReg(C=1.0)], TrainingSettings())
    return read_record(run(candidates, inputs, settings, out=folder)[0])


def test_intervals_and_comparisons_are_by_groups(tmp_path: Path) -> None:
    """Copies of an image as a group tell nothing new, and without groups seem to."""
    ignored, by_groups = (recorded(tmp_path / str(by), grouped=by) for by in (False, True))
    assert (ignored.data.test_groups, by_groups.data.test_groups) == (None, 60)
    for alone, groups in zip(ignored.results, by_groups.results, strict=True):
        assert groups.accuracy == alone.accuracy
        for name in ("accuracy", "balanced_accuracy", "roc_auc", "log_loss"):
            narrow, wide = (
                getattr(result, f"{name}_high") - getattr(result, f"{name}_low")
                for result in (alone, groups)
            )
            assert 1.5 * narrow < wide < 3.5 * narrow, name
    wide, narrow = (r.results[0].threshold for r in (by_groups, ignored))
    assert wide.precision_high - wide.precision_low > narrow.precision_high - narrow.precision_low
    assert by_groups.comparisons[0].p_value > ignored.comparisons[0].p_value


def test_compare_says_what_its_intervals_are_by(tmp_path: Path) -> None:
    """In the record, on the page and in the terminal, with the number of groups."""
    X, y = embeddings()
    animals = np.arange(len(y)) // COPIES
    found = compare((X, y), None, ["centroid", LogReg(C=1.0)], groups=animals, out=tmp_path / "run")
    data, result = found.record.data, found.record.results[0]
    assert data.by_groups
    assert 20 < data.test_groups < 60
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    said = f"by a bootstrap over {data.test_groups} groups of test images"
    assert said in report
    assert said in " ".join(remarks(found.record))
    assert "Wilson" not in report
    assert "McNemar" not in report
    alone = wilson(result.n_correct, result.n_test)
    assert result.accuracy_high - result.accuracy_low > 1.5 * (alone[1] - alone[0])


def test_the_note_on_a_missing_threshold_counts_the_groups(tmp_path: Path) -> None:
    """Hundreds of images can be too few, because they are of few groups."""
    X, y = embeddings()
    animals = np.arange(len(y)) // COPIES
    found = compare(
        (X, y), None, "centroid", groups=animals, target_precision=0.99, out=tmp_path / "run"
    )
    [note] = [note for note in found.record.results[0].notes if note.startswith("no threshold")]
    n_groups = found.record.data.train_groups
    assert note.startswith(f"no threshold: {6 * n_groups} held-out training images in {n_groups} ")
