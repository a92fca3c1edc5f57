"""Runs on near-copies in groups, whose labels can be predicted only by who knows a copy."""

import dataclasses

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression

from classify.estimators.centroid import Centroid
from classify.estimators.logreg import LogReg
from classify.estimators.nearest import Nearest
from classify.experiment import trial as trials
from classify.experiment.candidates import candidates_of
from classify.experiment.features import ArrayFeatures
from classify.experiment.inputs import ArrayInputs
from classify.experiment.run import UNGROUPED, RunStopped, run
from classify.experiment.settings import RunSettings, TrainingSettings
from reports.json_summary import summary
from reports.ranking import ranked
from reports.reading import read_record
from reports.tables import format_results, remarks
from reports.wording.headline import headline
from tests.classify.estimators.grouped import N_GROUPS, SIZE, near_copies

CLAIMED, CHANCE = 0.9, 0.65
CLASSIFIERS = [LogReg(C=10.0), Nearest(), Centroid(), LogisticRegression(C=100.0)]


@dataclasses.dataclass(frozen=True)
class Grouped(ArrayInputs):
    """Embeddings with groups, a third of which are for the test."""

    divided: bool = False
    memory_limit: float = np.inf

    @property
    def dataset(self):
        plain = super().dataset
        test = set(sorted(set(self.groups))[::3])
        items = tuple(
            dataclasses.replace(item, group=group, split="test" if group in test else "train")
            for item, group in zip(plain.items, self.groups, strict=True)
        )
        if self.divided:
            other = "train" if items[0].split == "test" else "test"
            last = dataclasses.replace(items[-1], group=items[0].group, split=other)
            items = (*items[:-1], last)
        return dataclasses.replace(plain, items=items)

    def features(self, *_):
        features = ArrayFeatures(self.dataset, self.X)
        features.memory_limit = self.memory_limit
        return [features]


def inputs(groups=None, labels=None, **fields):
    X, y, animals = near_copies()
    animals = animals if groups is None else groups
    return Grouped(
        X, list(y if labels is None else labels), groups=tuple(map(str, animals)), **fields
    )


def finished(folder, given, classifiers=CLASSIFIERS, **settings):
    candidates = candidates_of(classifiers, TrainingSettings())
    return run(candidates, given, RunSettings(**settings), out=folder)[1]


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """Run all kinds of classifiers on grouped data, with everything that trains again."""
    folder = tmp_path_factory.mktemp("run")
    finished(folder, inputs(), learning_curve=True, repeats=2, calibrate=True)
    return folder


def test_everything_that_is_held_out_is_of_other_groups(grouped):
    """Validation, search and test are at chance; sizes of a learning curve are whole groups."""
    record = read_record(grouped)
    for result in record.results:
        assert result.validation.accuracy < CHANCE, result.classifier
        assert result.accuracy < CHANCE
        assert max(result.repeats) < CHANCE
    for curve in record.learning_curves:
        assert [size % SIZE for size in curve.sizes] == [0] * len(curve.sizes)


class Noting(Centroid):
    """Notes the groups of everything that it is trained on."""

    seen: list = []  # noqa: RUF012 - of all copies

    def fit(self, X, y, progress=False, groups=None):
        self.seen.append(groups)
        return super().fit(X, y, progress, groups)


def test_every_training_of_a_run_gets_the_groups(tmp_path):
    """Whole ones; only the one that shows what a split without them would claim gets none."""
    Noting.seen.clear()
    record = finished(tmp_path, inputs(), [Noting()], learning_curve=True, repeats=3)
    n_draws = sum(len(found) for found in record.learning_curves[0].accuracies[:-1])
    given = [groups for groups in Noting.seen if groups is not None]
    assert len(given) == len(Noting.seen) - 1 == 1 + 5 + 2 + n_draws
    for groups in given:
        assert set(np.bincount(groups)) <= {0, SIZE}


def test_the_run_says_what_a_split_that_ignores_groups_would_have_claimed(grouped):
    """In the record, in the summary for programs, in the terminal and in the headline."""
    record = read_record(grouped)
    best = ranked(record)[0]
    claimed = record.ungrouped
    assert claimed.classifier == best.classifier
    assert claimed.n_test == best.n_test == N_GROUPS // 3 * SIZE
    assert claimed.accuracy > CLAIMED
    assert summary(grouped, record)["ungrouped"] == dataclasses.asdict(claimed)
    sentence = (
        "Groups were kept together. A split that ignores them would have claimed "
        f"{claimed.accuracy:.1%} instead of {best.accuracy:.1%}."
    )
    assert sentence in remarks(record)
    assert headline(record, ranked(record)).remarks[0] == sentence
    assert sentence in (grouped / "report.html").read_text(encoding="utf-8")
    assert "95% interval" in format_results(record)


@pytest.mark.parametrize(
    "given", [inputs(np.arange(240)), inputs(divided=True)], ids=["none", "divided"]
)
def test_there_is_nothing_to_claim_without_groups_or_where_the_split_divides_one(given, tmp_path):
    """Such a split has not kept groups together."""
    record = finished(tmp_path, given, [Centroid()])
    assert record.ungrouped is None
    assert "Groups were kept" not in " ".join(remarks(record))


def test_embeddings_on_disk_are_not_compared_and_it_says_so(tmp_path):
    """A split of all images needs them in memory."""
    record = finished(tmp_path, inputs(memory_limit=1), [LogReg()])
    assert record.ungrouped is None
    assert "split that ignores groups" in " ".join(record.results[0].notes)


def test_a_run_that_is_stopped_there_goes_on(tmp_path, monkeypatch):
    """It is a step of its own, which is named if it is not done."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trials.Trial, "ungrouped", stop)
        with pytest.raises(RunStopped) as stopped:
            finished(tmp_path, inputs(), [Centroid()])
    assert stopped.value.run.not_done == [UNGROUPED]
    record = finished(tmp_path, inputs(), [Centroid()])
    assert record.ungrouped.accuracy > CLAIMED
    assert record.not_done == []


def test_fewer_groups_than_folds_are_said(tmp_path):
    """Two groups of each class to train on are four folds."""
    _, y, _ = near_copies()
    animals = [f"{label}{i % 3}" for i, label in enumerate(y)]
    record = finished(tmp_path, inputs(animals), [LogReg(C=1.0), Centroid()])
    said = "cross-validated in 4 folds instead of 5, because the training images come in 4 groups"
    assert all(said in result.notes for result in record.results)
    assert record.results[0].search.folds == 4


def test_a_class_in_one_group_is_named(tmp_path):
    """Its figures are optimistic, and so is nothing else."""
    _, y, groups = near_copies()
    labels = np.where(np.isin(groups, ["animal 0", "animal 1"]), "rare", y)
    record = finished(tmp_path, inputs(labels=labels), [LogReg(C=1.0), Centroid()])
    for result in record.results:
        (note,) = result.notes
        assert note.startswith("its held-out predictions are optimistic for rare: ")
    record = finished(tmp_path / "other", inputs(), [LogReg(C=1.0)])
    assert record.results[0].notes == []


def test_a_validation_that_does_not_know_the_groups_is_named(tmp_path):
    """scikit-learn's own searches draw their folds without them."""
    given = [CalibratedClassifierCV(LogisticRegression()), LogisticRegression()]
    record = finished(tmp_path, inputs(), given)
    notes = [" ".join(result.notes) for result in record.results]
    assert "which does not know the groups" in notes[0]
    assert notes[1] == ""


def test_groups_have_the_same_number_in_both_splits():
    """So that it shows whether a split divides one."""
    (features,) = inputs(divided=True).features([], None, None)
    train, test = features.groups("train"), features.groups("test")
    assert len(train) + len(test) == 240
    assert len(np.intersect1d(train, test)) == 1
    assert not features.keeps_groups
