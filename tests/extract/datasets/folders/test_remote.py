"""The listing of a folder at an address has the interface of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from tests.extract.datasets.layouts.samples import DRAWN, SPLIT, make
from tests.extract.test_addresses import draw, in_memory, listed
from toolkit.addresses import as_path, file_states

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "files",
    [
        ["cats-train/1.png", "dogs-train/sub/2.png", "cats-test/3.png", "dogs-test/4.png"],
        ["train/cats/1.png", "train/dogs/2.png", "val/cats/3.png", "val/dogs/4.png"],
        ["cats/1.png", "cats/deep/er/2.png", "dogs/3.png", ".hidden/4.png", "__MACOSX/5.png"],
        ["cat.1.png", "dog.2.png", "note.txt"],
        ["train/cat.1.png", "train/dog.2.png", "test1/3.png"],
        ["top/inner/cats/1.png", "top/inner/dogs/2.png"],
    ],
)
def test_layouts_are_those_of_folders(tmp_path: Path, files: list[str]) -> None:
    """Each image has the label and split that it has on disk, in the same order."""
    for i, name in enumerate(files):
        draw(tmp_path / "data" / name, i)
    here = read_dataset(tmp_path / "data")
    there = read_dataset(in_memory(tmp_path / "data"))
    assert listed(there) == listed(here)
    assert there.classes == here.classes


@pytest.mark.parametrize("kind", [*SPLIT, *DRAWN])
def test_every_layout_is_read_alike_at_an_address(tmp_path: Path, kind: str) -> None:
    files = SPLIT[kind] if kind in SPLIT else DRAWN[kind][0]
    here = read_dataset(make(tmp_path / "data", *files))
    there = read_dataset(in_memory(tmp_path / "data"))
    assert listed(there) == listed(here)
    assert there.layout == here.layout


@pytest.mark.parametrize("first", ["cats", "cats/1.png"])
def test_a_name_may_be_the_folder_of_others(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Object stores may have an object for a folder, listed before or after its content."""
    names = ["/bucket/cats", "/bucket/cats/1.png", "/bucket/dogs/2.png"]
    names.sort(key=lambda name: name != f"/bucket/{first}")
    address = as_path("memory://bucket")
    found = {name: {"name": name, "size": 1, "type": "file"} for name in names}
    monkeypatch.setattr(type(address.fs), "find", lambda *_, **__: found)
    dataset = read_dataset(address)
    assert listed(dataset) == [("cats/1.png", "cats", None), ("dogs/2.png", "dogs", None)]


def test_a_store_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request takes time, so their number must not depend on the number of files."""
    for i in range(20):
        draw(tmp_path / "data" / "train" / f"class{i}" / f"{i}.png", i)
    address = in_memory(tmp_path / "data")
    asked: list[str] = []
    for method in ("ls", "info", "isdir", "exists", "isfile", "find"):
        real = getattr(type(address.fs), method)

        def noting(*args: Any, _real: Any = real, _name: str = method, **kwargs: Any) -> Any:
            asked.append(_name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(type(address.fs), method, noting)
    dataset = read_dataset(address)
    assert len(dataset) == 20
    # `find` itself lists folder by folder.
    assert asked.count("find") == 1
    assert len(asked) < 2 * 25
    asked.clear()
    assert None not in file_states([item.path for item in dataset.items])
    assert not asked


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("memory://nothing", "memory://nothing"),
        ("http://127.0.0.1:1/pictures/", "cannot be listed"),
        ("http:///", "cannot be listed"),
    ],
)
def test_an_address_without_pictures_is_one_error(address: str, words: str) -> None:
    """The error names the address."""
    with pytest.raises(DataError, match=words):
        read_dataset(as_path(address))
