"""`classify.compare` on images, whose embeddings an earlier version has put into the cache."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from classify import SVM, ClassifierError, LogReg, compare
from extract import Embedder, load_dataset
from tests.commands import python

EARLIER = Path(__file__).parents[2] / "data" / "earlier-run"


@pytest.fixture
def embedder(earlier_home: Path) -> Embedder:
    """Return the embedder of that cache."""
    return Embedder(
        "mobilenet:alpha=0.25", size=64, pooling="avg",
        weights=str(earlier_home / "mobilenet.weights.h5"), cache=earlier_home / "cache",
        resize="lanczos",
    )  # fmt: skip


def test_a_data_set_keeps_its_own_split(
    earlier_home: Path, embedder: Embedder, tmp_path: Path
) -> None:
    """A share of test images beside it is an error."""
    data = load_dataset(earlier_home / "pictures", cache=earlier_home / "cache")
    run = compare(data, embedder, "centroid", audit=True, out=tmp_path / "out")
    assert run.record.data.test_counts == [9, 8, 8]
    assert run.record.audit is not None
    assert 'id="mistakes"' in run.report().read_text(encoding="utf-8")
    with pytest.raises(ClassifierError, match="already has a test split"):
        compare(data, embedder, "centroid", test_size=0.5, out=tmp_path / "again")


def test_paths_and_labels_are_split_by_content(
    earlier_home: Path, embedder: Embedder, tmp_path: Path
) -> None:
    """In any order, with the share that was asked for; what is no image is set aside."""
    data = load_dataset(earlier_home / "pictures", cache=earlier_home / "cache")
    pairs = [*zip(data.train.paths, data.train.labels, strict=True),
             *zip(data.test.paths, data.test.labels, strict=True)]  # fmt: skip
    runs = []
    for i, order in enumerate((pairs, pairs[::-1])):
        paths, labels = zip(*order, strict=True)
        runs.append(
            compare((paths, labels), embedder, "centroid", test_size=0.3, out=tmp_path / str(i))
        )
    pd.testing.assert_frame_equal(runs[0].predictions, runs[1].predictions)
    assert 15 <= sum(runs[0].record.data.test_counts) <= 27
    assert [item.path for item in runs[0].record.quarantine] == ["test/star/broken.jpg"]


def test_an_embedder_and_a_network_of_another_base_do_not_fit(
    earlier_home: Path, embedder: Embedder, tmp_path: Path
) -> None:
    """The parameters of the part that is trained come from the embedder."""
    from classify import FineTune

    with pytest.raises(ClassifierError, match=r"FineTune has size=96, but .* computed with 64"):
        compare(earlier_home / "pictures", embedder, FineTune(size=96), out=tmp_path / "out")


def test_rows_on_disk_are_trained_on_with_the_same_parameters(
    earlier_home: Path, embedder: Embedder, tmp_path: Path
) -> None:
    """Where the embeddings exceed the memory limit."""
    classifiers = [SVM(C=1, folds=3, kernel="linear"), LogReg(class_weight="balanced")]
    run = compare(
        earlier_home / "pictures", embedder, classifiers, memory_limit=10_000, out=tmp_path / "out"
    )
    svm, logreg = run.record.results
    assert svm.title == "Linear SVM on frozen features, from disk"
    assert (svm.params["C"], svm.params["folds"]) == (1, 3)
    assert svm.search.folds == 3
    assert len(logreg.notes) == 2
    assert logreg.params["class_weight"] == "balanced"
    assert (
        "probabilities are those of weighted classes (class_weight='balanced')" in logreg.notes[1]
    )


@pytest.mark.slow
def test_the_public_face(earlier_home: Path) -> None:
    """A notebook's whole job in a few lines, without TensorFlow, as everything is in the cache."""
    code = """
import sys
from sklearn.ensemble import RandomForestClassifier
from classify import compare, audit, load_model, LogReg, SVM, DenseHead
from extract import Embedder, load_dataset
from reports import read_run

data = load_dataset("pictures", test_size=0.2, seed=0)
embed = Embedder(
    "mobilenet:alpha=0.25", size=64, pooling="avg", weights="mobilenet.weights.h5", resize="lanczos"
)
run = compare(data, embed, [SVM(), LogReg(), RandomForestClassifier(10)], repeats=3)
assert "test images" in run._repr_html_()
assert run.results["classifier"].tolist() == ["svm", "logreg", "RandomForestClassifier"]
assert len(run.predictions) == 75 and len(run.comparisons) == 3
assert run.report().stat().st_size > 10_000
found = audit(data, embed)
assert len(found.copies) == 2
assert "tensorflow" not in sys.modules
model = load_model(run.folder)
print(run.best, model.predict(["pictures/test/disc/001.jpg"]))
assert read_run(run.folder).best == run.best
"""
    (earlier_home / "face.py").write_text(code)
    done = python("face.py", cwd=earlier_home, FROZEN_FEATURES_CACHE="cache")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("['disc']")
