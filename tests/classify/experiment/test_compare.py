"""`classify.compare` as a notebook uses it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from classify import SVM, Centroid, ClassifierError, LogReg, Nearest, ScratchCNN, compare
from extract import Embedder
from extract.errors import DataError
from reports import read_run

if TYPE_CHECKING:
    from reports import RunResults

EARLIER = Path(__file__).parents[2] / "data" / "earlier-run"


def blobs(n_samples: int = 90, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return three classes that overlap a little, with 20 features."""
    rng = np.random.default_rng(seed)
    y = np.array(["a", "b", "c"])[np.arange(n_samples) % 3]
    X = rng.normal(size=(n_samples, 20)) + 2 * (y[:, None] == np.array(["a", "b", "c"])).repeat(
        [7, 7, 6], axis=1
    )
    return X, y


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    """Ours by name and as estimators, one of scikit-learn's, and a pipeline."""
    classifiers = [
        "centroid",
        LogReg(),
        LogReg(C=0.1),
        make_pipeline(StandardScaler(), SVC()),
        ("forest", RandomForestClassifier(5, random_state=7)),
    ]
    return compare(
        blobs(), None, classifiers,
        repeats=2, calibrate=True, target_precision=0.9, learning_curve=True,
        out=tmp_path_factory.mktemp("run"),
    )  # fmt: skip


NAMES = ["centroid", "logreg", "logreg-2", "Pipeline", "forest"]


def test_names_and_estimators_are_compared(run: RunResults) -> None:
    """Each has a unique name, in the order in which they were given."""
    assert run.results["classifier"].tolist() == NAMES
    assert run.results["accuracy"].min() > 0.7
    assert run.record.results[2].params["C"] == 0.1
    assert run.record.results[3].title == "StandardScaler + SVC on frozen features"


def test_its_tables_are_data_frames(run: RunResults) -> None:
    """Predictions of every test sample, pairs of classifiers, learning curves."""
    n_test = sum(run.record.data.test_counts)
    assert len(run.predictions) == n_test * len(NAMES)
    assert set(run.predictions["true"]) == {"a", "b", "c"}
    assert len(run.comparisons) == 10
    assert set(run.learning_curves["classifier"]) == set(NAMES)


def test_the_best_is_chosen_by_validation(run: RunResults) -> None:
    """By the log loss of held-out training samples; the test split plays no part."""
    losses = run.results.set_index("classifier")["validation_log_loss"]
    assert losses.notna().all()
    assert run.best == losses.idxmin()
    validations = [result.validation for result in run.record.results]
    assert len({validation.n_samples for validation in validations if validation}) == 1


def test_everything_else_that_was_asked_for_is_recorded(run: RunResults) -> None:
    """Repeats, calibration and threshold."""
    assert len(run.record.results) == len(NAMES)
    for result in run.record.results:
        assert len(result.repeats) == 2
        assert result.temperature
        assert result.uncalibrated is not None


def test_the_report_of_embeddings_shows_no_pictures(run: RunResults) -> None:
    """There are none to show, and none could be set aside."""
    page = run.report().read_text(encoding="utf-8")
    assert "StandardScaler + SVC on frozen features" in page
    assert 'id="mistakes"' not in page
    assert 'id="quarantine"' not in page
    assert 'href="#mistakes"' not in page
    assert "given as an array" in page


def test_the_report_shows_the_call(run: RunResults) -> None:
    """As far as it can be written down."""
    page = run.report().read_text(encoding="utf-8")
    assert "compare((X, y), None, [&#39;centroid&#39;, LogReg(), LogReg(C=0.1), " in page
    assert "repeats=2, calibrate=True" in page


def test_the_record_says_where_the_time_went(tmp_path: Path) -> None:
    """From the call to its end, the writing of the page included."""
    started = time.monotonic()
    run = compare(blobs(), None, ["centroid", LogReg(C=1.0)], out=tmp_path / "run")
    passed = time.monotonic() - started
    phases = run.record.phases
    assert {"logreg: training", "centroid: evaluating", "writing the report"} <= set(phases)
    assert run.record.seconds < sum(phases.values()) < passed


def test_an_earlier_run_is_read_again(run: RunResults) -> None:
    """`reports.read_run` gives the same tables."""
    again = read_run(run.folder)
    pd.testing.assert_frame_equal(again.results, run.results)
    pd.testing.assert_frame_equal(again.predictions, run.predictions)


def test_an_estimator_is_trained_as_it_is_given(tmp_path: Path) -> None:
    """With its own parameters and its own seed; it is copied, not trained itself."""
    X, y = blobs()
    forest = RandomForestClassifier(5, random_state=3)
    first = compare((X, y), None, forest, out=tmp_path / "first")
    second = compare((X, y), None, clone_with_seed(forest, 3), out=tmp_path / "second")
    other = compare((X, y), None, clone_with_seed(forest, 4), out=tmp_path / "other")
    pd.testing.assert_frame_equal(first.predictions, second.predictions)
    assert not first.predictions.equals(other.predictions)
    assert not hasattr(forest, "estimators_")


def clone_with_seed(forest: RandomForestClassifier, seed: int) -> RandomForestClassifier:
    return RandomForestClassifier(**forest.get_params() | {"random_state": seed})


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    """And another one another split."""
    runs = [
        compare(blobs(), None, "centroid", seed=seed, out=tmp_path / str(i))
        for i, seed in enumerate((5, 5, 6))
    ]
    pd.testing.assert_frame_equal(runs[0].predictions, runs[1].predictions)
    assert set(runs[0].predictions["path"]) != set(runs[2].predictions["path"])


def test_equal_rows_are_in_the_same_split(tmp_path: Path) -> None:
    """A copy of a training sample would make the test too easy."""
    X, y = blobs()
    run = compare((np.vstack([X, X]), np.hstack([y, y])), None, "centroid", out=tmp_path)
    rows = sorted(int(path.removeprefix("row-")) for path in run.predictions["path"])
    assert [row + 90 for row in rows if row < 90] == [row for row in rows if row >= 90]


def test_a_class_of_two_training_images_is_validated_too(tmp_path: Path) -> None:
    """It is missing in some of the held-out parts, and takes no folds from the others."""
    X, y = blobs()
    y[:3] = "d"
    run = compare((X, y), None, ["nearest", "logreg"], calibrate=True, out=tmp_path)
    for result in run.record.results:
        assert result.uncalibrated is not None
        assert result.validation is not None
        assert result.validation.n_samples == sum(run.record.data.train_counts)
    assert run.record.results[1].search is not None
    assert run.record.results[1].search.folds == 5


def test_tables_lists_and_numbers_as_labels_are_taken(tmp_path: Path) -> None:
    """A DataFrame and a Series, lists of lists, integers: classes are always text."""
    X, y = blobs()
    codes = np.searchsorted(["a", "b", "c"], y)
    frames = (pd.DataFrame(X), pd.Series(codes))
    for i, data in enumerate((frames, (X.tolist(), codes.tolist()))):
        run = compare(data, None, "centroid", out=tmp_path / str(i))
        assert run.record.data.classes == ["0", "1", "2"]


def test_a_run_gets_a_new_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In `runs`, as on the command line."""
    monkeypatch.chdir(tmp_path)
    run = compare(blobs(), None, [Centroid(), Nearest()])
    assert run.folder.parent == Path("runs")
    assert run.folder.name.endswith("-centroid+nearest")


def test_progress_is_reported(tmp_path: Path) -> None:
    """A callback hears of every stage."""
    stages = []
    compare(blobs(), None, SVM(), out=tmp_path, progress=lambda stage, *_: stages.append(stage))
    assert any("SVM" in stage for stage in stages)


class Interrupted(LogisticRegression):
    """A classifier during whose training somebody presses Ctrl-C."""

    def fit(self, *_: Any) -> Any:
        raise KeyboardInterrupt


class Faulty(LogisticRegression):
    """A classifier with a bug."""

    def fit(self, *_: Any) -> Any:
        raise RuntimeError("a bug")


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    """The message says where it is."""
    with pytest.raises(KeyboardInterrupt, match=r"stopped: 1 classifier is reported in .*out"):
        compare(blobs(), None, ["centroid", Interrupted(), "nearest"], out=tmp_path / "out")
    run = read_run(tmp_path / "out")
    assert run.results["classifier"].tolist() == ["centroid"]
    assert run.report().exists()


def test_an_error_keeps_what_is_finished(tmp_path: Path) -> None:
    """It has a note of where that is."""
    with pytest.raises(RuntimeError, match="a bug") as caught:
        compare(blobs(), None, ["centroid", "nearest", Faulty()], out=tmp_path / "out")
    assert caught.value.__notes__ == [f"2 classifiers are reported in {tmp_path / 'out'}"]
    assert len(read_run(tmp_path / "out").results) == 2


def test_a_run_that_came_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    """Neither after an error nor after Ctrl-C."""
    with pytest.raises(RuntimeError):
        compare(blobs(), None, Faulty(), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


X, Y = blobs()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"data": (X, Y[:-1])}, "one label for each row, found 90 rows and 89 labels"),
        ({"data": (X, ["a"] * 90)}, "at least two classes to tell apart, found one: 'a'"),
        ({"data": (X, ["a"] * 89 + ["b"])}, r"1 class has too few images .*: 'b' \(1\)"),
        ({"data": (X, [*Y[:-1], None])}, "the label of row 89 is missing"),
        ({"data": (X, [*Y[:-1], np.nan])}, "the label of row 89 is missing"),
        ({"data": (X, np.stack([Y, Y], axis=1))}, r"found shape \(90, 2\)"),
        ({"data": (np.where(X > 3, np.nan, X), Y)}, r"row \d+ are not all finite numbers"),
        ({"data": (X.reshape(90, 4, 5), Y)}, r"shape \(n_samples, n_features\), found \(90, 4, 5"),
        ({"data": (np.array([["x"]] * 90), Y)}, "expected embeddings as numbers"),
        ({"data": 5}, "found int"),
        ({"data": [X, Y]}, r"data and labels in one tuple, found list; write compare\(\(paths,"),
        ({"data": X, "embedder": Y}, "data and labels in one tuple, found ndarray"),
        ({"embedder": [SVC()]}, r"found the classifier SVC\(\); write classifiers="),
        ({"data": "shapes", "embedder": LogReg()}, r"found the classifier LogReg\(\)"),
        ({"data": ("a.jpg", ["a"])}, "expected a list of paths of images"),
        ({"data": (["a.jpg"], ["a", "b"])}, "found 1 path"),
        ({"data": (["a.jpg", 3], ["a", "b"])}, "the path of an image in row 1, found int"),
        ({"data": (["a.jpg", "a.jpg"], ["a", "b"])}, "each path once, found 1 path several times"),
        ({"embedder": Embedder()}, "the data are embeddings, which need no embedder"),
        ({"data": "shapes", "embedder": StandardScaler()}, "as embedder, found StandardScaler"),
        ({"data": "shapes", "embedder": Embedder}, r"found Embedder \(a class\)"),
        ({"data": "shapes", "embedder": []}, "found an empty list"),
        ({"data": "shapes", "embedder": ["vgg16", "vgg16"]}, "each backbone once"),
        ({"classifiers": "logreq"}, "unknown classifier 'logreq' .did you mean logreg"),
        ({"classifiers": []}, "no classifier is given"),
        ({"classifiers": 5}, "names, estimators or a list of these, found int"),
        ({"classifiers": [5]}, "int is not a classifier"),
        ({"classifiers": SVC}, r"expected an instance; write SVC\(\)"),
        ({"classifiers": [SVM]}, r"expected an instance; write SVM\(\)"),
        ({"classifiers": [SVR()]}, "SVR is not a classifier"),
        ({"classifiers": [("a/b", SVC())]}, "cannot be called 'a/b'"),
        ({"classifiers": [ScratchCNN()]}, "cnn is trained on images, but the data are embeddings"),
        ({"classifiers": "finetune"}, "finetune is trained on images"),
        ({"audit": True}, "the audit looks at images"),
        ({"test_size": 2}, "a share between 0 and 1 as test_size, found 2"),
        ({"target_precision": 99}, "as target_precision, found 99"),
        ({"repeats": 0}, "as repeats, found 0"),
        ({"seed": -1}, "as seed, found -1"),
    ],
)
def test_what_cannot_be_compared_is_a_clear_error(
    tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    """Before anything is computed or written."""
    keywords = {"data": (X, Y), "classifiers": "centroid", "out": tmp_path / "out"} | arguments
    with pytest.raises((ClassifierError, DataError), match=words):
        compare(**keywords)
    assert not (tmp_path / "out").exists()


def test_a_classifier_without_probabilities_is_refused(tmp_path: Path) -> None:
    """Decision values do as well."""
    assert len(compare((X, Y), None, Perceptron(), out=tmp_path / "out").results) == 1

    class Silent(LogisticRegression):
        predict_proba = decision_function = property()

    with pytest.raises(ClassifierError, match="neither predict_proba nor decision_function"):
        compare((X, Y), None, Silent(), out=tmp_path / "silent")


def test_a_model_that_cannot_be_kept_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A forest holds types that no file is trusted with."""
    compare(blobs(), None, [RandomForestClassifier(3)], out=tmp_path / "run")
    assert "its model was not saved" in caplog.text
