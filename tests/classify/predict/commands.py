"""Commands of `python -m classify.predict` on a run of an earlier version."""

from __future__ import annotations

import csv
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from classify.serving import blocks
from classify.serving.model import Model
from tests.commands import run_command

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


BASE = ("--weights", "mobilenet.weights.h5", "--cache", "cache", "--clf", "centroid")
N_IMAGES = 26


def predict(home: Path, *options: str, images: str = "pictures/test") -> Any:
    return run_command("classify.predict", "run", images, *BASE, *options, cwd=home)


def undo(home: Path, folder: str = "sorted") -> Any:
    return run_command("classify.predict", "--undo", folder, cwd=home)


def multiply(home: Path, times: int, name: str = "many") -> Path:
    """Return a folder with copies of the test pictures, whose embeddings are in the cache."""
    pictures = sorted((home / "pictures" / "test").rglob("*.jpg"))
    for number in range(times):
        folder = home / name / f"{number:03}"
        folder.mkdir(parents=True)
        for picture in pictures:
            shutil.copy(picture, folder / f"{picture.parent.name}-{picture.name}")
    return home / name


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Rows are equal; probabilities but for rounding, which depends on the size of a block."""
    for row, other in zip(found, expected, strict=True):
        shares = [float(each.pop("probability") or 0) for each in (row, other)]
        assert shares[0] == pytest.approx(shares[1], abs=1e-9)
        assert row == other


class Stopping:
    """Lets a model predict some files, then stops as Ctrl-C does; notes what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
        self.files: list[str] = []
        monkeypatch.setattr(blocks, "FILES_PER_BLOCK", 4)
        predict_blocks = Model.predict_blocks

        def stopping(model: Model, files: Iterable[str], *args: Any, **kwargs: Any) -> Any:
            for block in predict_blocks(model, [*files], *args, **kwargs):
                if len(self.files) >= after:
                    raise KeyboardInterrupt
                self.files += [str(prediction.path) for prediction in block]
                yield block

        monkeypatch.setattr(Model, "predict_blocks", stopping)
