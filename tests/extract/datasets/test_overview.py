"""`--dry-run` says how the data are understood, and computes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extract.datasets.layouts import read_dataset
from extract.datasets.overview import FETCHED, LOOKED_INTO, look_over
from tests.commands import run_command
from tests.extract.test_addresses import in_memory


def draw(path: Path, width: int = 40, height: int = 40, kind: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, kind)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes in two splits, with the oddities of real folders."""
    for i in range(3):
        draw(tmp_path / f"pets/Training/cats/{i}.jpg", 640, 480)
        draw(tmp_path / f"pets/Training/dogs/{i}.png", 40, 30)
    draw(tmp_path / "pets/Testing/cats/9.jpg", kind="PNG")
    draw(tmp_path / "pets/Testing/dogs/9.png", 8, 8)
    (tmp_path / "pets/Testing/dogs/broken.jpg").write_text("no image")
    (tmp_path / "pets/README.md").write_text("Our pets")
    (tmp_path / "pets/new").mkdir()
    return tmp_path / "pets"


def test_a_dry_run_prints_what_was_understood(pets: Path, tmp_path: Path) -> None:
    result = run_command(
        "extract", "--data", "pets", "--dry-run", "--json", "--cache", "cache", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["layout"] == "split-folders"
    assert found["layout_description"] == "Training/CLASS and Testing/CLASS"
    assert found["classes"] == {
        "cats": {"images": 4, "train": 3, "test": 1},
        "dogs": {"images": 5, "train": 3, "test": 2},
    }
    assert found["passed_over"] == {".md files": 1, "empty folders (new)": 1}
    assert found["formats"] == {"PNG": 5, "JPEG": 3}
    assert found["sizes"] == {"smallest": [8, 8], "median": [40, 40], "largest": [640, 480]}
    assert [Path(path).name for path in found["unreadable"]] == ["broken.jpg"]
    text = " ".join(found["remarks"])
    assert "1 file of another format than the name says, for example 'Testing/cats/9.jpg'" in text
    assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").rglob("*.npy"))


def test_a_dry_run_is_readable(pets: Path, tmp_path: Path) -> None:
    result = run_command("extract", "--data", "pets", "--dry-run", "--cache", "cache", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "layout       split-folders: Training/CLASS and Testing/CLASS" in result.stdout
    assert "cats          4         3         1" in result.stdout
    assert "passed over  1 .md file\n" in result.stdout
    assert "sizes        8 x 8 to 640 x 480 pixels, median 40 x 40" in result.stdout
    assert "not usable   'Testing/dogs/broken.jpg': not an image" in result.stdout


def test_odd_classes_are_named(tmp_path: Path) -> None:
    for i in range(30):
        draw(tmp_path / f"cats/{i}.png")
    draw(tmp_path / "fox/1.png")
    overview = look_over(read_dataset(tmp_path))
    assert overview.to_dict()["classes"]["fox"] == {"images": 1, "train": None, "test": None}
    small, uneven = overview.remarks
    assert small == "1 class has too few images to train and to test on, which takes 3: 'fox' (1)."
    assert uneven == "The classes are of very different size: 'cats' has 30 images, 'fox' 1."


def test_of_many_images_some_are_looked_into(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    draw(tmp_path / "cats/0000.png")
    for i in range(1, LOOKED_INTO + 1):
        (tmp_path / f"cats/{i:04}.png").hardlink_to(tmp_path / "cats/0000.png")
    overview = look_over(read_dataset(tmp_path))
    assert overview.looked_into == LOOKED_INTO // 2 + 1
    assert f"(of {LOOKED_INTO // 2 + 1:,} looked into)" in "\n".join(overview.lines())


def test_pixels_that_are_changed_are_counted(tmp_path: Path) -> None:
    """More than eight bits, transparency, and formats whose extra is not installed."""
    for label in ("cats", "dogs"):
        (tmp_path / label).mkdir()
        Image.new("RGBA", (40, 40)).save(tmp_path / label / "1.png")
        Image.new("I;16", (40, 40)).save(tmp_path / label / "2.tiff")
        Image.new("RGB", (40, 40)).save(tmp_path / label / "3.png")
    remarks = look_over(read_dataset(tmp_path)).remarks
    assert "2 images have more than 8 bits, which are scaled to 8 by those in use." in remarks
    assert "2 images have transparency, which is laid on white." in remarks


def test_of_images_at_an_address_few_are_fetched(tmp_path: Path) -> None:
    draw(tmp_path / "pets/cats/00.png")
    for i in range(1, 2 * FETCHED):
        (tmp_path / f"pets/cats/{i:02}.png").hardlink_to(tmp_path / "pets/cats/00.png")
    overview = look_over(read_dataset(in_memory(tmp_path / "pets")))
    assert overview.looked_into == FETCHED
    assert overview.formats == {"PNG": FETCHED}


def test_a_file_without_a_suffix_has_no_wrong_one(tmp_path: Path) -> None:
    for label in ("cats", "dogs"):
        for i in range(3):
            draw(tmp_path / f"{label}/p{i}", kind="PNG")
    dataset = read_dataset(tmp_path)
    assert "6 files without a suffix" in dataset.layout.remarks[0]
    assert look_over(dataset).remarks == ()
