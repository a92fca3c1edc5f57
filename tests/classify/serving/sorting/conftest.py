"""What the tests of sorting share: images with predictions, and a picture of a whole folder."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from classify.serving.prediction import Prediction
from classify.serving.sorting.opening import open_sorter
from classify.serving.sorting.settings import SortSettings
from classify.serving.sorting.undo import undo
from toolkit.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from classify.serving.sorting.sorter import Sorter, SortResult
    from classify.serving.sorting.undo import UndoResult

CLASSES = ("cat", "dog")


def predicted(path: Path | str, label: str | None = "cat", p: float = 0.75, **more: Any) -> Any:
    """Return a prediction as a model makes it; without a label, of a file that is no image."""
    if label is None:
        return Prediction(Path(path), None, None, "not an image")
    other = "dog" if label == "cat" else "cat"
    return Prediction(Path(path), label, p, top=((label, p), (other, 1 - p)), **more)


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return everything below a folder: name -> content and time of each file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        if path.is_file()
        else (b"", -1)
        for path in sorted(folder.rglob("*"))
    }


def visible(folder: Path) -> list[str]:
    """Return the names below a folder without the undo file."""
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if not name.startswith(".undo"))


class Home:
    """A folder of images, and one to sort into."""

    def __init__(self, root: Path) -> None:
        self.images, self.sorted = root / "images", root / "sorted"
        for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg", "c.jpg"):
            path = self.images / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())

    @property
    def predictions(self) -> list[Prediction]:
        """One for every image: b/2.jpg is a dog, c.jpg is no image, the others are cats."""
        labels = {"2.jpg": "dog", "c.jpg": None}
        return [
            predicted(path, labels.get(path.name, "cat"))
            for path in sorted(self.images.rglob("*.jpg"))
        ]

    @contextmanager
    def sorter(self, classes: Iterable[str] = CLASSES, **how: Any) -> Iterator[Sorter]:
        """Open a sorter for all images."""
        files = [str(path) for path in sorted(self.images.rglob("*.jpg"))]
        settings = SortSettings(self.sorted, **how)
        with open_sorter(settings, {"model": "0"}, classes, files, [str(self.images)]) as sorter:
            yield sorter

    def sort(self, predictions: list[Prediction] | None = None, **how: Any) -> SortResult:
        """Sort the images."""
        with self.sorter(**how) as sorter:
            sorter.place(self.predictions if predictions is None else predictions)
            return sorter.result

    def undo(self) -> UndoResult:
        """Put everything back."""
        return undo(self.sorted, silent)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return four images, of which two have the same name."""
    return Home(tmp_path)


@pytest.fixture(params=["link", "copy", "move"])
def how(request: pytest.FixtureRequest) -> str:
    """Return each way to sort."""
    return str(request.param)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what lets a function of `os` fail from its n-th call on."""

    def fail(name: str, number: int, *, after: int = 0) -> None:
        import os

        working, calls = getattr(os, name), iter(range(10**6))

        def function(*args: Any, **kwargs: Any) -> Any:
            if next(calls) >= after:
                raise OSError(number, os.strerror(number), str(args[0]))
            return working(*args, **kwargs)

        monkeypatch.setattr(os, name, function)

    return fail
