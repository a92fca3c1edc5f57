"""Rivals compute the same as ours in a process of their own, and their best round counts."""

from __future__ import annotations

import ast
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from benchmarks.rivals import csearch, turns
from benchmarks.rivals.turns import OURS, Rival, Worker
from classify.estimators.logreg import LogReg
from classify.estimators.solvers.gram import unit_scale
from classify.estimators.svm import SVM

WORKERS = turns.HERE / "workers"
PACKAGES = {"benchmarks", "cache", "classify", "extract", "reports", "toolkit"}
CS = [0.01, 0.1, 1.0, 10.0]


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray, str]:
    """Draw two classes that overlap; return features, classes, and the file with both."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    X = (rng.normal(size=(120, 200)) + 0.25 * y[:, None] + 1).astype(np.float32)
    data = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(data, X=X, y=y)
    return X, y, str(data)


def searching(
    contestant: str, model: SVM | LogReg, largest: float = 0.0, **settings: object
) -> Rival:
    """Return a rival in this interpreter that must find the accuracies of `model`."""
    check = partial(csearch.check, model, largest=largest)
    return Rival("searches", contestant, {"workers": [1], **settings}, check, sys.executable)


@pytest.mark.slow
def test_precomputed_kernels_give_the_accuracies_of_the_svm(clusters) -> None:
    """For every C, exactly; and one row in 120 more is refused."""
    X, y, data = clusters
    scale, svm = unit_scale(X), SVM(C=CS, kernel="linear").fit(X, y)
    settings = {"data": data, "library": "scikit-learn"}
    grid = {"linear": [C * scale**2 for C in CS]}
    with Worker(searching("precomputed", svm, **settings, grid=grid)) as worker:
        assert worker.compute() > 0
        assert worker.compute() > 0
        assert worker.words.startswith("scikit-learn 1.")
    means = [point.mean for point in svm.search_.points]
    with pytest.raises(RuntimeError, match=r"differ by 0\.0083, expected at most 0"):
        csearch.check(svm, {"means": [*means[:-1], means[-1] + 1 / 120]}, 0.0)


@pytest.mark.slow
def test_coordinates_give_the_accuracies_of_logistic_regression(clusters) -> None:
    """On as many coordinates as there are rows, it is the same model: one row in 120 may differ."""
    X, y, data = clusters
    logreg = LogReg(C=CS).fit(X, y)
    settings = {"data": data, "Cs": CS, "scale": unit_scale(X)}
    with Worker(searching("logistic", logreg, 1 / 120, **settings)) as worker:
        assert worker.compute() > 0


@pytest.mark.slow
def test_the_precomputed_kernel_of_each_fold_is_that_of_svc(clusters) -> None:
    """The width of "rbf" depends on the rows that a fold trains on."""
    X, y, data = clusters
    search = GridSearchCV(
        SVC(), {"C": CS}, cv=StratifiedKFold(5, shuffle=True, random_state=0)
    ).fit(X, y)
    reports = []
    settings = {"data": data, "library": "scikit-learn", "grid": {"rbf": CS}, "workers": [2]}
    rival = Rival("searches", "precomputed", settings, reports.append, sys.executable)
    with Worker(rival) as worker:
        worker.compute()
    assert reports[0]["means"] == pytest.approx(search.cv_results_["mean_test_score"], abs=1e-12)


@pytest.mark.slow
def test_a_rival_that_fails_is_an_error(clusters) -> None:
    """Rather than a comparison without it."""
    rival = searching("direct", SVM(), data="nowhere.npz", library="scikit-learn", Cs=CS)
    with pytest.raises(RuntimeError, match="'direct' ended with status 1"):
        Worker(rival)


def test_a_rivals_best_round_counts_and_the_strongest_is_judged() -> None:
    """Ours in every round is compared with the best round of each rival."""
    seconds = {OURS: [2.0, 1.0, 4.0], "slow": [9.0, 8.0, 9.0], "fast": [5.0, 6.0, 4.0]}
    rows = turns.rows("sums", seconds, ">= 2", n_images=8)
    assert [(row.what, row.values, row.promised) for row in rows[:2]] == [
        ("sums: times as fast as the best round of fast", [2.0, 4.0, 1.0], ">= 2"),
        ("sums: times as fast as the best round of slow", [4.0, 8.0, 2.0], ""),
    ]
    assert [(row.what, row.values, row.unit) for row in rows[2:]] == [
        ("sums: ours", [4.0, 8.0, 2.0], "images/s"),
        ("sums: fast", [8 / 5, 8 / 6, 2.0], "images/s"),
        ("sums: slow", [8 / 9, 1.0, 8 / 9], "images/s"),
    ]


def test_without_an_environment_of_the_rivals_nothing_is_measured(monkeypatch) -> None:
    """The message names the variable and the list of what to install."""
    monkeypatch.delenv("RIVALS_PYTHON", raising=False)
    with pytest.raises(SystemExit, match=r"RIVALS_PYTHON is not set.*requirements\.txt"):
        turns.interpreter()


@pytest.mark.parametrize("script", sorted(WORKERS.glob("*.py")), ids=lambda path: path.stem)
def test_a_worker_imports_nothing_of_ours(script: Path) -> None:
    """It runs in an environment that does not have this project."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & PACKAGES


def test_the_rivals_versions_are_those_of_the_project() -> None:
    """Where both have a package, ours and theirs are compared in the same version."""
    root = Path(__file__).parents[1]
    pins = {}
    for path in (root / "constraints.txt", turns.HERE / "requirements.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        pins[path.stem] = dict(line.split("==") for line in lines if "==" in line)
    both = pins["constraints"].keys() & pins["requirements"].keys()
    assert both >= {"openvino", "scikit-learn"}
    assert all(pins["constraints"][name] == pins["requirements"][name] for name in both)
