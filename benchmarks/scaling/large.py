"""25,000 rows of 8,192: `python -m classify --clf logreg,svm` from the cache, searching for C.

The rows are realistic, the images are not: 25,000 small images of noise stand in for photographs.
Their cached embeddings are mixtures of real embeddings of the lesson's photographs. Each one mixes
two random photographs of one class with random weights, adds noise of a tenth of the features'
standard deviation, and clips at zero. The 20,000 training rows come from training photographs only,
the 5,000 test rows from test photographs only. Mixtures are easier to classify than photographs, so
the accuracies mean nothing; time, memory and agreement with scikit-learn do.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from benchmarks.common import inputs
from cache.store import SHARD_ROWS
from classify import persistence
from extract.frozen import FrozenBase
from extract.options import BaseSettings, Options
from extract.prepare import find_dataset, prepare

if TYPE_CHECKING:
    from extract.datasets.dataset import Split
    from extract.prepare import Prepared

N_ROWS = {"train": 20_000, "test": 5_000}
NOISE = 0.1
SIDE = 16


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", metavar="DIR", help="keep the photographs' embeddings here")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, cache = make(folder, args.cache)
        common = ("--data", str(data), "--weights", inputs.weights(), "--cache", str(cache))
        measure(folder, common, args.rounds)


def make(folder: Path, embeddings: str | None) -> tuple[Path, Path]:
    """Write the images and a cache with their rows; return both folders."""
    settings = BaseSettings(
        weights=inputs.weights(), cache=embeddings or folder / "photographs-cache"
    )
    options = Options(inputs.photographs(folder), settings)
    real = prepare(find_dataset(options), options)
    data, cache = folder / "large", folder / "cache"
    base = FrozenBase.choose(dataclasses.replace(settings, cache=cache))
    rng = np.random.default_rng(0)
    splits: tuple[Split, ...] = ("train", "test")
    for split in splits:
        X, y = real.embeddings(split), np.array(real.labels(split))
        for label in real.dataset.classes:
            n_rows = N_ROWS[split] // len(real.dataset.classes)
            digests = write_images(data / split / label, n_rows, rng)
            for start in range(0, n_rows, SHARD_ROWS):
                shard = digests[start : start + SHARD_ROWS]
                rows = mixtures(X[y == label], len(shard), rng)
                rows = rows.reshape(len(shard), *backbone_shape(real))
                base.store.append(base.recipe.fingerprint, base.recipe.canonical, shard, rows)
    return data, cache


def backbone_shape(real: Prepared) -> tuple[int, ...]:
    """Return the shape of one embedding as the cache holds it."""
    digest = next(iter(real.extraction.digests.values()))
    return real.base.store.read(real.base.recipe.fingerprint, [digest]).shape[1:]


def write_images(folder: Path, n_images: int, rng: np.random.Generator) -> list[str]:
    """Write images of noise; return the SHA-256 of each file's bytes."""
    folder.mkdir(parents=True)
    digests = []
    for i in range(n_images):
        pixels = rng.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)
        data = cv2.imencode(".png", pixels)[1].tobytes()
        (folder / f"{i:05}.png").write_bytes(data)
        digests.append(hashlib.sha256(data).hexdigest())
    return digests


def mixtures(X: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return float32 rows that mix random pairs of rows of `X`, with a little noise."""
    first, second = rng.integers(len(X), size=(2, n_rows))
    weight = rng.random((n_rows, 1), dtype=np.float32)
    rows = weight * X[first] + (1 - weight) * X[second]
    rows += np.float32(NOISE) * X.std() * rng.standard_normal(rows.shape, dtype=np.float32)
    return np.maximum(rows, 0)


def measure(folder: Path, common: tuple[str, ...], rounds: int) -> None:
    """Run the commands `rounds` times, then compare the models with scikit-learn's."""
    command("extract", *common)  # the first run hashes the files
    warm = [command("extract", *common)[0] for _ in range(rounds)]
    print(f"python -m extract, warm: {', '.join(f'{s:.2f}' for s in warm)} s", flush=True)
    figures = []
    for i in range(rounds):
        out = folder / f"run-{i}"
        figures.append(command("classify", "--clf", "logreg,svm", "--out", str(out), *common))
        print(f"round {i + 1}: {figures[-1][0]:.1f} s, peak {figures[-1][1]:.2f} GB", flush=True)
    describe(out)
    rows = [
        inputs.Row(
            "classify --clf logreg,svm, 25,000 rows", [s for s, _ in figures], "s", "<= 180"
        ),
        inputs.Row("the same, peak memory", [gb for _, gb in figures], "GB", "<= 8"),
        inputs.Row("extract, warm, 25,000 images", warm, "s", "<= 5"),
    ]
    rows += agreement(out, common)
    inputs.publish("large", rows)


def command(module: str, *arguments: str) -> tuple[float, float]:
    """Run one of the project's commands; return its seconds and its peak memory in GB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments, "--json"], stdout=subprocess.DEVNULL
    )
    # wait4 instead of RUSAGE_CHILDREN, which would report the largest peak of all rounds.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"python -m {module} ended with {process.returncode}")
    return seconds, usage.ru_maxrss * 1024 / 1e9


def describe(out: Path) -> None:
    """Print what the last run chose, and how long each classifier took."""
    for result in json.loads((out / "run.json").read_text(encoding="utf-8"))["results"]:
        print(
            f"{result['classifier']}: fit {result['fit_seconds']:.1f} s, predict "
            f"{result['predict_seconds']:.1f} s, accuracy {result['accuracy']:.4f}, "
            f"chosen {result['search']['chosen']} in {result['search']['folds']} folds, "
            f"{len(result['search']['points'])} points",
            flush=True,
        )


def agreement(out: Path, common: tuple[str, ...]) -> list[inputs.Row]:
    """Compare the trained models with scikit-learn's, with the chosen C on raw features."""
    data, weights, cache = common[1::2]
    options = Options(data, BaseSettings(weights=weights, cache=cache))
    prepared = prepare(find_dataset(options), options)
    X, y = prepared.embeddings("train"), np.array(prepared.labels("train"))
    unseen = prepared.embeddings("test")
    svm, logreg = (persistence.load(out / f"{name}.skops") for name in ("svm", "logreg"))
    raw_C = svm.C_ * svm.scale_**2 if svm.kernel_ == "linear" else svm.C_
    pairs = {
        "LogReg and LogisticRegression": (
            logreg,
            LogisticRegression(C=logreg.C_ * logreg.scale_**2, tol=1e-6, max_iter=10_000),
        ),
        "SVM and SVC": (svm, SVC(C=raw_C, kernel=svm.kernel_, cache_size=2000)),
    }
    rows = []
    for name, (ours, theirs) in pairs.items():
        started = time.perf_counter()
        theirs.fit(X.astype(np.float64), y)
        seconds = time.perf_counter() - started
        decisions = ours.decision_function(unseen), theirs.decision_function(unseen)
        equal = float((ours.predict(unseen) == theirs.predict(unseen)).mean())
        apart = float(np.abs(decisions[0] - decisions[1]).max())
        print(
            f"{name}: {equal:.4%} of {len(unseen):,} predictions equal, decision values up to "
            f"{apart:.2g} apart (of {np.abs(decisions[1]).max():.3g}); theirs fitted in "
            f"{seconds:.0f} s",
            flush=True,
        )
        rows += [
            inputs.Row(f"{name}, equal predictions", [100 * equal], "%", ""),
            inputs.Row(f"{name}, decision values apart by", [apart], "", ""),
        ]
    return rows


if __name__ == "__main__":
    main()
