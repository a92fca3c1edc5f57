"""`load_dataset`: a data set in one line, with the split that the command line draws."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from cache.errors import CacheError
from extract import Dataset, load_dataset
from extract.datasets.dataset import Item
from extract.errors import DataError
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty small images of two classes, without a split."""
    rng = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{i:02}.png")
    return tmp_path / "pictures"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    """Load with a cache of this test's own."""

    def load(data: Any, **parameters: Any) -> Dataset:
        return load_dataset(data, **{"cache": tmp_path / "cache", **parameters})

    return load


def test_paths_and_labels_of_both_splits(load: Callable[..., Dataset], pictures: Path) -> None:
    data = load(pictures)
    assert data.classes == ["cats", "dogs"]
    assert len(data.train) + len(data.test) == len(data) == 40
    assert 2 <= len(data.test) < len(data.train)
    for subset in (data.train, data.test):
        assert [path.parent.name for path in subset.paths] == subset.labels
        assert set(subset.labels) == {"cats", "dogs"}
        assert subset.paths == sorted(subset.paths)


def test_the_split_is_that_of_the_command_line(
    load: Callable[..., Dataset], pictures: Path, tmp_path: Path
) -> None:
    """Both draw it by the SHA-256 of the files; see `Dataset.with_hashed_split`."""
    from cache.store import Store
    from extract.datasets.layouts import read_dataset
    from extract.images.hashing import hash_images

    dataset = read_dataset(pictures)
    digests, _ = hash_images([item.path for item in dataset.items], Store(tmp_path / "other"))
    expected = dataset.with_hashed_split(list(digests.values()), 0.3, 7)
    data = load(str(pictures), test_size=0.3, seed=7)
    assert data.items == expected.items
    assert data.split_origin == expected.split_origin
    assert load(pictures, test_size=0.3, seed=np.int64(7)).items == data.items
    assert load(pictures, test_size=0.3, seed=8).items != data.items


def test_the_files_are_read_once(load: Callable[..., Dataset], pictures: Path) -> None:
    """Their digests are in the cache then."""
    for path in pictures.rglob("*.png"):
        os.utime(path, (1e9, 1e9))  # a file changed just now is not remembered
    hashed: list[tuple[str, int, int]] = []
    for _ in range(2):
        load(pictures, progress=lambda *call: hashed.append(call))
    assert hashed == [("hashing images", done, 40) for done in range(1, 41)]


def test_a_split_of_the_data_is_kept(load: Callable[..., Dataset], tmp_path: Path) -> None:
    for name in ("train/a/1.png", "train/b/2.png", "val/a/3.png", "val/b/4.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_bytes(b"is not read")
    data = load(tmp_path / "data")
    assert [path.name for path in data.test.paths] == ["3.png", "4.png"]
    assert data.split_origin == "as given"


def test_corrected_labels_replace_those_of_the_data(
    load: Callable[..., Dataset], pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text("path,label\ncats/00.png,dogs\ncats/01.png,\n")
    data = load(pictures, labels=tmp_path / "labels.csv")
    labels = dict(zip(data.to_frame().path, data.to_frame().label, strict=True))
    assert labels[str(pictures / "cats/00.png")] == "dogs"
    assert str(pictures / "cats/01.png") not in labels


def test_an_unreadable_image_is_reported_and_left_to_the_extraction(
    load: Callable[..., Dataset], pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It keeps its place, so that a report counts it; the other images keep their split."""
    before = load(pictures)
    (pictures / "dogs/99.png").symlink_to(pictures / "gone.png")
    with caplog.at_level(logging.WARNING, logger="extract"):
        data = load(pictures)
    assert "1 image cannot be read" in caplog.text
    assert data.items == (*before.items, Item(pictures / "dogs/99.png", "dogs", "train"))


def test_a_frame_has_one_row_for_each_image(load: Callable[..., Dataset], pictures: Path) -> None:
    data = load(pictures)
    frame = data.to_frame()
    assert list(frame.columns) == ["path", "label", "split", "group"]
    assert [Path(path) for path in frame.path[frame.split == "test"]] == data.test.paths
    assert list(frame.label[frame.split == "train"]) == data.train.labels


def test_a_frame_holds_names_that_are_not_utf8() -> None:
    """Arrow, in which pandas keeps text where it is installed, has no such names."""
    items = (Item(Path(os.fsdecode(b"caf\xe9.png")), os.fsdecode(b"\xe9"), "train"),)
    frame = Dataset("d", Path(), items).to_frame()
    assert os.fsencode(frame.path[0]) == b"caf\xe9.png"
    assert os.fsencode(frame.label[0]) == b"\xe9"


def test_a_notebook_shows_the_classes_and_their_images() -> None:
    """Names of classes are escaped; a long list is cut."""
    items = tuple(
        Item(Path(f"{i}.png"), f"<class {i:02}>", "test" if i % 2 else "train") for i in range(30)
    )
    data = Dataset("birds & bees", Path(), items)
    assert repr(data) == (
        "<Dataset 'birds & bees': 30 images in 30 classes, 15 to train and 15 to test (as given)>"
    )
    assert repr(data.train) == "<Subset: 15 images in 15 classes>"
    page = data._repr_html_()
    assert "birds &amp; bees" in page
    assert "<th>&lt;class 01&gt;</th><td>0</td><td>1</td>" in page
    assert "class 20" not in page
    assert "and 10 more classes" in page


@pytest.mark.parametrize(
    ("parameters", "setting", "words"),
    [
        ({"data": "absent"}, "data", "there is no file or folder"),
        ({"data": ["a.png", "b.png"]}, "data", "found list"),
        ({"data": None}, "data", "found NoneType"),
        ({"test_size": 1.5}, "test_size", "between 0 and 1, as in 0.2, found 1.5"),
        ({"test_size": "0.2"}, "test_size", "found '0.2'"),
        ({"seed": -1}, "seed", "from 0 to 4,294,967,295 as seed, found -1"),
        ({"seed": None}, "seed", "found None"),
        ({"seed": 0.5}, "seed", "found 0.5"),
        ({"mirror_url": "https://mirror"}, "mirror_url", "only dogs-vs-cats has a mirror"),
    ],
)
def test_a_wrong_parameter_is_named(
    load: Callable[..., Dataset],
    pictures: Path,
    parameters: dict[str, Any],
    setting: str,
    words: str,
) -> None:
    """The error says what was expected and found, and which parameter to change."""
    with pytest.raises(DataError, match=words) as raised:
        load(**{"data": pictures, **parameters})
    assert raised.value.setting == setting


def test_one_class_is_not_enough(load: Callable[..., Dataset], pictures: Path) -> None:
    for path in (pictures / "dogs").iterdir():
        path.unlink()
    (pictures / "dogs").rmdir()
    with pytest.raises(DataError, match="only one class, 'cats', with 20 images; expected at"):
        load(pictures)


def test_a_file_as_cache_folder_is_an_error(load: Callable[..., Dataset], pictures: Path) -> None:
    with pytest.raises(CacheError, match="as the cache folder") as raised:
        load(pictures, cache=pictures / "cats/00.png")
    assert isinstance(raised.value, ToolkitError)
    assert raised.value.setting == "cache"
