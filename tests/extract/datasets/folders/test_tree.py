"""One look at a folder finds what may be data, and counts what is not."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from extract.datasets.folders.tree import read_tree
from extract.datasets.layouts import read_dataset
from extract.errors import DataError
from tests.extract.datasets.layouts.samples import CLASSES, counted, make


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return file.getvalue()


def test_litter_is_passed_over_and_counted(tmp_path: Path) -> None:
    """By its name, wherever it is; pictures in it are not used."""
    make(
        tmp_path,
        *CLASSES,
        ".ipynb_checkpoints/x.jpg",
        "cats/.ipynb_checkpoints/x-checkpoint.jpg",
        "cats/._a1.jpg",
        ".DS_Store",
        "desktop.ini",
        "cats/Thumbs.db",
        "cats/@eaDir/a1.jpg/SYNOPHOTO_THUMB_M.jpg",
        "__MACOSX/cats/._a.jpg",
        "lost+found/x.jpg",
        "$RECYCLE.BIN/x.jpg",
        "cats/_thumbs/x.jpg",
    )
    (tmp_path / "Neuer Ordner").mkdir()
    dataset = read_dataset(tmp_path)
    assert counted(dataset) == {"cats": "3", "dogs": "3"}
    assert dataset.layout.passed_over == {
        "hidden files": 2,
        "hidden folders": 2,
        "folders of other programs (@eaDir)": 1,
        "folders of other programs (__MACOSX)": 1,
        "folders of other programs (lost+found)": 1,
        "folders of other programs ($RECYCLE.BIN)": 1,
        "folders of other programs (_thumbs)": 1,
        ".ini files": 1,
        ".db files": 1,
        "empty folders (Neuer Ordner)": 1,
    }


def test_what_the_toolkit_writes_into_the_data_is_passed_over(tmp_path: Path) -> None:
    """Runs, audits and caches are recognised by what is in them."""
    make(
        tmp_path,
        *CLASSES,
        "runs/20260101-svm/run.json",
        "runs/20260101-svm/predictions.csv",
        "runs/20260101-svm/x.png",
        "audited/suspects.csv",
        "sorted/.undo-sorting.jsonl",
        "audited/leaks.csv",
        "audited/x.png",
        "cache/CACHEDIR.TAG",
        "cache/x.png",
    )
    dataset = read_dataset(tmp_path)
    assert counted(dataset) == {"cats": "3", "dogs": "3"}
    assert dataset.layout.passed_over["folders of earlier runs"] == 1
    assert dataset.layout.passed_over["folders of earlier audits"] == 1
    assert dataset.layout.passed_over["folders of sorted images"] == 1
    assert dataset.layout.passed_over["cache folders"] == 1


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    make(tmp_path / "disk", "c/x.jpg*4", "d/y.jpg*4")
    data = make(tmp_path / "data", "cats/a.jpg*2", "dogs/a.jpg*2")
    (data / "cats/kaggle").symlink_to(tmp_path / "disk/c")
    (data / "dogs/kaggle").symlink_to(tmp_path / "disk/d")
    (data / "dogs/again").symlink_to(tmp_path / "disk/d")
    (data / "dogs/up").symlink_to(data)
    (data / "dogs/root").symlink_to("/")
    (tmp_path / "disk/c/back").symlink_to(tmp_path / "disk/c")
    (data / "dogs/itself").symlink_to(data / "dogs/itself")
    dataset = read_dataset(data)
    assert counted(dataset) == {"cats": "6", "dogs": "6"}
    assert dataset.layout.passed_over["links in a circle"] == 3
    assert dataset.layout.passed_over["links to the folder of another link"] == 1


def test_a_folder_that_may_not_be_listed_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may list every folder, so the refusal of the system is simulated."""
    make(tmp_path, *CLASSES)
    real = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "dogs":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"dogs cannot be listed: Permission denied; make it read"):
        read_dataset(tmp_path)


def test_folders_nested_without_end_are_an_error(tmp_path: Path) -> None:
    make(tmp_path, "/".join("x" * 70) + "/a.jpg")
    with pytest.raises(DataError, match="more than 64 deep"):
        read_tree(tmp_path)


def test_files_without_suffix_are_read_by_content_if_none_has_one(tmp_path: Path) -> None:
    make(tmp_path, "cats/notes", "README.md")
    for name in ("cats/1", "cats/2", "dogs/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png())
    dataset = read_dataset(tmp_path)
    assert counted(dataset) == {"cats": "2", "dogs": "1"}
    assert dataset.layout.remarks == (
        "No file has the suffix of an image, so 3 files without a suffix that begin as images are "
        "used.",
    )
    (tmp_path / "dogs/2.png").write_bytes(png())
    (tmp_path / "cats/2.png").write_bytes(png())
    (tmp_path / "cats/3.jpg_large").write_bytes(png())
    dataset = read_dataset(tmp_path)
    assert counted(dataset) == {"cats": "1", "dogs": "1"}
    assert dataset.layout.passed_over["files without a suffix"] == 4
    assert dataset.layout.remarks[0].startswith(
        "4 files that are images by their content are not used, as 'cats/1': their names do not end"
    )


@pytest.mark.parametrize("name", ["x.psd", "x.svg", "x.mp4"])
def test_a_class_whose_pictures_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    make(tmp_path, *CLASSES, f"fox/{name}")
    with pytest.raises(DataError, match=r"class 'fox' has no images: .* 1 picture as 'x"):
        read_dataset(tmp_path)


def test_pictures_beside_the_classes_are_counted(tmp_path: Path) -> None:
    make(tmp_path, *CLASSES, "cover.jpg", "raw/x.txt", "docs/deep/x.pdf", "cats/film.mp4")
    dataset = read_dataset(tmp_path)
    assert dataset.layout.passed_over == {
        "images beside the class folders": 1,
        ".txt files": 1,
        ".pdf files": 1,
        ".mp4 files": 1,
        "folders without images (docs, raw)": 2,
    }
    assert dataset.layout.remarks == ("1 picture or film in formats that are not read: 1 .mp4.",)


def test_a_link_to_a_folder_of_the_data_is_named(tmp_path: Path) -> None:
    """Its images are in the data twice, under two names."""
    make(tmp_path, *CLASSES)
    (tmp_path / "katzen").symlink_to("cats")
    assert read_dataset(tmp_path).layout.remarks == (
        "Links to folders of the data, whose images count twice: katzen is cats.",
    )


def test_a_link_to_a_folder_elsewhere_is_no_matter(tmp_path: Path) -> None:
    make(tmp_path, "here/cats/a.jpg*3", "there/dogs/a.jpg*3")
    (tmp_path / "here/dogs").symlink_to(tmp_path / "there/dogs")
    assert not read_dataset(tmp_path / "here").layout.remarks


def test_a_folder_of_archives_says_to_unpack_them(tmp_path: Path) -> None:
    make(tmp_path, "cats-test.zip", "cats-train.zip")
    with pytest.raises(DataError, match=r"in 2 archives \(cats-test.zip, cats-train.zip\): unpack"):
        read_dataset(tmp_path)
