"""Simulated runs: the fields of real records, with figures that are consistent with each other."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from reports.records import (
    MANY_CLASSES,
    Base,
    ClassScore,
    Data,
    ExtractionSummary,
    PredictionRow,
    Quarantined,
    Result,
    RocCurve,
    Run,
    Search,
    SearchPoint,
)

if TYPE_CHECKING:
    from pathlib import Path

TITLES = {
    "svm": "SVM",
    "logreg": "Logistic regression",
    "dense": "Dense head",
    "cnn": "Scratch CNN",
}
SKILLS = {"svm": 2.8, "logreg": 2.75, "dense": 2.6, "cnn": 0.7}
C_GRID = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]
NETWORK_PARAMS = {
    "batch_size": 32,
    "class_weight": "balanced",
    "learning_rate": 1e-3,
    "random_state": 0,
}
PARAMS: dict[str, dict[str, Any]] = {
    "svm": {"C": 1.0, "class_weight": "balanced", "folds": 5, "kernel": "rbf", "random_state": 0},
    "logreg": {"C": 1.0, "class_weight": "balanced", "folds": 5, "random_state": 0},
    "dense": NETWORK_PARAMS,
    "cnn": NETWORK_PARAMS,
}
RECIPE: dict[str, Any] = {
    "weights": "9b1d" * 16,
    "preprocessing": "torchvision",
    "backbone": "vgg16",
    "layer": None,
    "size": 150,
    "pooling": "none",
    "interpolation": "lanczos4",
    "flip": False,
    "mirrored": False,
    "precision": "float32",
    "quantised": None,
    "dtype": "float32",
    "schema": 1,
    "fingerprint": "c4e2" * 16,
    "weights_source": "torchvision",
    "preset": "default",
}


def sample(
    classes: list[str],
    root: str = "photographs",
    *,
    n_per_class: int = 50,
    classifiers: tuple[str, ...] = ("dense", "logreg", "svm", "cnn"),
    seed: int = 0,
) -> tuple[Run, list[PredictionRow]]:
    """Return a run on `classes` and its predictions, drawn from `seed`."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(classes)), n_per_class)
    paths = [f"{classes[label]}/{i:04d}.jpg" for i, label in enumerate(truth)]
    results, predictions = [], []
    for name in classifiers:
        logits = rng.normal(size=(truth.size, len(classes)))
        logits[np.arange(truth.size), truth] += SKILLS[name]
        probabilities = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
        results.append(_result(name, classes, truth, probabilities))
        predictions += [
            PredictionRow(name, path, classes[label], classes[row.argmax()], float(row.max()))
            for path, label, row in zip(paths, truth, probabilities, strict=True)
        ]
    run = Run(
        created="2025-03-01T09:05:00+00:00",
        command=["python", "-m", "classify", "--clf", "all", "--data", "my pictures"],
        seed=seed,
        data=Data(
            name="cats and dogs" if len(classes) == 2 else "shapes",
            root=root,
            classes=classes,
            train_counts=[2 * n_per_class] * len(classes),
            test_counts=[n_per_class] * len(classes),
            split="as the folders say (CLASS-train, CLASS-test)",
            fingerprint="5f0c" * 16,
        ),
        bases=[
            Base(
                "vgg16",
                RECIPE,
                ExtractionSummary(
                    images=3000, cached=2400, computed=598, quarantined=2, seconds=41.3
                ),
            )
        ],
        results=results,
        versions={"python": "3.11.7", "numpy": "2.4.1", "tensorflow": "2.21.0", "keras": "3.15.0"},
        machine={"system": "Linux", "processor": "x86_64", "cores": 2, "memory_gib": 8.0},
        seconds=183.4,
        quarantine=[
            Quarantined("cats-train/cat.666.jpg", "empty file"),
            Quarantined("dogs-train/dog.11702.jpg", "not an image that OpenCV can decode"),
        ],
    )
    return run, predictions


def with_recipe(run: Run, recipe: dict[str, Any]) -> Run:
    """Return a run whose first base has another recipe."""
    return replace(run, bases=[replace(run.bases[0], recipe=recipe), *run.bases[1:]])


def draw(predictions: list[PredictionRow], root: Path) -> None:
    """Write a JPEG file for every image of the predictions."""
    rng = np.random.default_rng(0)
    for path in {prediction.path for prediction in predictions}:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        image = rng.integers(0, 255, (12, 15, 3), dtype=np.uint8)
        image = cv2.resize(image, (200, 150), interpolation=cv2.INTER_CUBIC)
        cv2.circle(image, (100, 75), 40, (40, 90, 200), -1)
        file.write_bytes(cv2.imencode(".jpg", image)[1].tobytes())


def _result(name: str, classes: list[str], truth: np.ndarray, probabilities: np.ndarray) -> Result:
    said = probabilities.argmax(axis=1)
    n_classes, n_test = len(classes), truth.size
    confusion = np.zeros((n_classes, n_classes), dtype=int)
    np.add.at(confusion, (truth, said), 1)
    right = int(confusion.trace())
    low, high = _wilson(right, n_test)
    labels = range(n_classes) if n_classes > 2 else [1]
    roc = [_roc(classes[k], truth == k, probabilities[:, k]) for k in labels]
    recalls = confusion.diagonal() / confusion.sum(axis=1)
    precisions = confusion.diagonal() / np.maximum(confusion.sum(axis=0), 1)
    network = name in ("dense", "cnn")
    epochs = np.arange(1, {"dense": 6, "cnn": 11}.get(name, 1))
    pace = 1.3 if name == "dense" else 0.12
    return Result(
        classifier=name,
        title=TITLES[name],
        params={**PARAMS[name], "epochs": len(epochs)} if network else PARAMS[name],
        n_parameters={"dense": 2_097_922, "cnn": 3_453_634}.get(name),
        n_test=n_test,
        n_correct=right,
        accuracy=right / n_test,
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=float(recalls.mean()),
        roc_auc=float(np.mean([curve.auc for curve in roc])),
        log_loss=float(-np.log(probabilities[np.arange(n_test), truth]).mean()),
        fit_seconds={"dense": 14.2, "cnn": 96.0, "logreg": 6.1, "svm": 9.7}[name],
        predict_seconds={"dense": 0.42, "cnn": 3.1, "logreg": 0.011, "svm": 1.9}[name],
        classes=[
            ClassScore(c, int(n), float(p), float(r), float(2 * p * r / max(p + r, 1e-9)))
            for c, n, p, r in zip(classes, confusion.sum(axis=1), precisions, recalls, strict=True)
        ],
        confusion=[] if n_classes > MANY_CLASSES else confusion.tolist(),
        confusion_cells=[
            [*map(int, cell), int(confusion[tuple(cell)])] for cell in np.argwhere(confusion)
        ]
        if n_classes > MANY_CLASSES
        else [],
        roc=roc,
        history={
            "loss": [float(0.69 * math.exp(-pace * e) + 0.02) for e in epochs],
            "accuracy": [float(1 - 0.5 * math.exp(-pace * e)) for e in epochs],
        }
        if network
        else {},
        search=None if network else _search(["rbf", "linear"] if name == "svm" else [None]),
        model=f"{name}.npz" if network else f"{name}.skops",
    )


def _search(kernels: list[str | None]) -> Search:
    points = []
    for i, kernel in enumerate(kernels):
        for c in C_GRID:
            params = {"C": c} if kernel is None else {"C": c, "kernel": kernel}
            mean = 0.97 - 0.004 * i - 0.008 * abs(math.log10(c))
            points.append(SearchPoint(params, mean, 0.006, log_loss=3 * (1 - mean)))
    return Search(
        folds=5, scoring="accuracy", points=points, chosen=points[3].params, chosen_by="log loss"
    )


def _roc(label: str, positive: np.ndarray, score: np.ndarray) -> RocCurve:
    order = np.argsort(-score)
    tpr = np.r_[0, np.cumsum(positive[order])] / max(positive.sum(), 1)
    fpr = np.r_[0, np.cumsum(~positive[order])] / max((~positive).sum(), 1)
    area = float(np.trapezoid(tpr, fpr))
    # As in a real run, only the corners.
    corners = np.r_[
        True, np.diff(tpr[:-1]) * np.diff(fpr[1:]) + np.diff(fpr[:-1]) * np.diff(tpr[1:]) != 0, True
    ]
    return RocCurve(label, fpr[corners].tolist(), tpr[corners].tolist(), area)


def _wilson(right: int, n: int) -> tuple[float, float]:
    z, p = 1.959964, right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
