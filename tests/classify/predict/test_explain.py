"""`python -m classify.predict --explain`: images with their evidence laid over them."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from classify.serving.output import overlays
from classify.serving.output.overlays import laid_over
from reports.records import EvidenceRow
from tests.classify.predict.commands import N_IMAGES, predict

if TYPE_CHECKING:
    from pathlib import Path


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "evidence.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_image_gets_an_overlay_and_a_row(home: Path) -> None:
    """What is printed stays the same; a file that is no image is left out."""
    done = predict(home, "--explain", "why")
    assert done.returncode == 0, done.stderr
    assert done.stdout == predict(home).stdout
    rows = rows_of(home / "why")
    assert len(rows) == N_IMAGES - 1
    assert "why: the evidence in 25 images" in done.stderr
    assert {path.name for path in (home / "why").iterdir()} == {
        "evidence.csv", *(row["overlay"] for row in rows)
    }  # fmt: skip
    predictions = {
        each["path"]: each["class"]
        for each in json.loads(predict(home, "--json").stdout)["predictions"]
    }
    for row in rows:
        shares = np.array(json.loads(row["map"]))
        assert shares.sum() + float(row["intercept"]) == pytest.approx(
            float(row["score"]), abs=1e-5
        )
        assert row["class"] == predictions[row["path"]]
        image, drawn = (
            cv2.imread(str(home / row["path"])),
            cv2.imread(str(home / "why" / row["overlay"])),
        )
        assert drawn.shape == image.shape


@pytest.mark.parametrize(
    ("options", "status", "problem"),
    [
        (["--sort-into", "sorted"], 2, "--explain goes with predictions that are printed"),
        (["--csv", "a.csv"], 2, "--explain goes with predictions that are printed"),
        (["--csv", "-"], 0, ""),
        (["--json"], 0, ""),
    ],
)
def test_it_goes_with_what_is_printed(
    home: Path, options: list[str], status: int, problem: str
) -> None:
    done = predict(home, "--explain", "why", *options)
    assert done.returncode == status
    assert problem in done.stderr
    assert (home / "why").exists() == (status == 0)


def test_no_file_is_overwritten(home: Path) -> None:
    (home / "why").mkdir()
    (home / "why" / "mine.txt").write_text("mine")
    done = predict(home, "--explain", "why")
    assert done.returncode == 2
    assert "why is not empty" in done.stderr
    assert "--explain" in done.stderr
    assert [path.name for path in (home / "why").iterdir()] == ["mine.txt"]
    done = predict(home, "--explain", "why/mine.txt")
    assert done.returncode == 2
    assert "cannot write to why/mine.txt" in done.stderr


def test_what_is_finished_is_kept_at_ctrl_c(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = overlays.Overlays._write

    def interrupted(self: Any, *arguments: Any) -> str:
        if self.n_images == 5:
            raise KeyboardInterrupt
        return add(self, *arguments)

    monkeypatch.setattr(overlays.Overlays, "_write", interrupted)
    done = predict(home, "--explain", "why")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr
    rows = rows_of(home / "why")
    assert len(rows) == 5
    assert all((home / "why" / row["overlay"]).is_file() for row in rows)


@pytest.mark.parametrize("name", ["=../../evil<b>\n.jpg", "-.jpg", "x" * 200 + ".jpg", "é ü.jpg"])
def test_overlays_of_any_name_stay_in_their_folder(home: Path, name: str) -> None:
    content = next((home / "pictures" / "test").rglob("*.jpg")).read_bytes()
    shutil.rmtree(home / "pictures" / "test")
    (home / "pictures" / "test").mkdir()
    (home / "pictures" / "test" / name.replace("/", "_")).write_bytes(content)
    done = predict(home, "--explain", "why")
    assert done.returncode == 0, done.stderr
    (row,) = rows_of(home / "why")
    assert (home / "why" / row["overlay"]).is_file()
    assert "<" not in row["overlay"]


def evidence(shares: list[list[float]]) -> EvidenceRow:
    return EvidenceRow("svm", "a.jpg", "cat", 1, 1.0, 0.0, True, 0.0, 1.0, shares)


@pytest.mark.parametrize(
    ("aspect", "size", "seen"),
    [
        ("stretch", (60, 90), (0, 0, 60, 90)),
        ("crop", (60, 90), (0, 15, 60, 60)),
        ("crop", (90, 60), (15, 0, 60, 60)),
        ("pad", (60, 90), (-15, 0, 90, 90)),
        ("pad", (90, 60), (0, -15, 90, 90)),
    ],
)
def test_evidence_lies_where_the_network_sees_it(
    aspect: str, size: tuple[int, int], seen: tuple[int, int, int, int]
) -> None:
    """The strongest colour is in the middle of the place, of what the network sees."""
    top, left, height, width = seen
    shares = np.zeros((3, 3))
    shares[0, 1] = 1.0
    shares[1, 0] = 0.5
    laid = laid_over(np.full(size, 128, np.uint8), evidence(shares.tolist()), aspect).astype(int)
    redness = laid[..., 0] - laid[..., 2]
    row, column = np.argwhere(redness == redness.max()).mean(axis=0)
    assert max(0, top) <= row < top + height / 3
    assert column == pytest.approx(left + width / 2, abs=1.5)
    rows = slice(max(0, top), top + height)
    columns = slice(max(0, left), left + width)
    outside = np.ones(size, bool)
    outside[rows, columns] = False
    assert (laid[outside] == 128).all()
    assert redness[rows, columns].any()
