"""How pages get the thumbnails of a run's images."""

from __future__ import annotations

import base64
import logging
from contextlib import contextmanager
from importlib.metadata import EntryPoints
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.pages.changed_images import changed_predictions
from reports.pages.page import render
from reports.pages.thumbnails import NO_IMAGES, EmbeddedImages, installed_thumbnails
from tests.reports.samples import draw, sample

if TYPE_CHECKING:
    from collections.abc import Iterator


def named(path: Path, size: int) -> bytes:
    return f"{path} {size}".encode()


def test_images_are_embedded_in_base64() -> None:
    """Paths are below the folder of the data."""
    encoded = EmbeddedImages("data", named)("a/b.jpg", 96)
    assert encoded is not None
    assert base64.b64decode(encoded) == b"data/a/b.jpg 96"
    assert EmbeddedImages("data", lambda *_: None)("a.jpg", 96) is None
    assert NO_IMAGES("a.jpg", 96) is None


@pytest.mark.parametrize(
    ("root", "path"), [("https://example.org/data", "a.jpg"), ("data", "http://example.org/a.jpg")]
)
def test_images_at_an_address_are_left_alone(root: str, path: str) -> None:
    """Unless it is known that the record comes from this user."""
    assert EmbeddedImages(root, named)(path, 96) is None


def test_the_installed_maker_of_thumbnails_is_found(tmp_path: Path) -> None:
    """It is the one that `extract` provides."""
    _, predictions = sample(["cats", "dogs"], n_per_class=1, classifiers=("svm",))
    draw(predictions, tmp_path)
    with installed_thumbnails() as thumbnail:
        assert thumbnail is not None
        jpeg = thumbnail(tmp_path / predictions[0].path, 96)
        assert jpeg is not None
        assert jpeg.startswith(b"\xff\xd8\xff")


def test_without_a_maker_a_report_has_no_images_and_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where an older version is installed."""
    monkeypatch.setattr("reports.pages.thumbnails.entry_points", EntryPoints().select)
    run, predictions = sample(["cats", "dogs"], str(tmp_path), classifiers=("svm",))
    draw(predictions, tmp_path)
    with caplog.at_level(logging.INFO):
        html = render(run, predictions, None)
    assert 'src="data:image/jpeg' not in html
    assert "install it again" in caplog.text


def test_a_page_opens_one_maker_of_thumbnails() -> None:
    """Its processes serve all images of the page, and are closed with it."""
    events = []

    @contextmanager
    def opened() -> Iterator[None]:
        events.append("open")
        yield None
        events.append("closed")

    run, predictions = sample(["cats", "dogs"], n_per_class=20, classifiers=("svm", "dense"))
    render(run, predictions, None, thumbnails=opened)
    runs = [(Path("a"), run), (Path("b"), run)]
    changed_predictions(runs, [predictions] * 2, thumbnails=opened)
    assert events == ["open", "closed"] * 2
