"""Groups from the command to the report: split, record, tables, terminal and page."""

from __future__ import annotations

import csv
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from extract.backbones.catalog import construct
from reports import read_run
from tests.classify.test_cli import draw
from tests.commands import run_command
from tests.html import text_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ARGUMENTS = ("--weights", "vgg16.npz", "--size", "32", "--cache", "cache", "--clf", "centroid")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two classes of eight animals, three pictures each, and weights."""
    home = tmp_path_factory.mktemp("home")
    rows = []
    for k, label in enumerate(("bright", "dark")):
        for i in range(24):
            draw(home / "pictures" / f"{label}-{i}.png", label, 100 * k + i)
            rows.append(f"{label}-{i}.png,{label},{label[0]}{i // 3}")
    (home / "pictures" / "all.csv").write_text("\n".join(["path,label,animal", *rows]))
    np.savez(home / "vgg16.npz", *construct("vgg16", 32).get_weights())
    return home


def test_animals_stay_together_and_every_output_says_so(home: Path) -> None:
    done = run_command(
        "classify", "--data", "pictures", "--group-column", "animal", *ARGUMENTS, "--out", "run",
        cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    phrase = "16 groups (column animal), 12 to train and 4 to test"
    assert phrase in done.stdout
    assert phrase in text_of(home / "run" / "report.html")
    with (home / "run" / "pictures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    animals = {row["path"]: row["group"] for row in rows}
    assert animals["bright-4.png"] == animals["bright-5.png"] == "b1"
    for group in set(animals.values()):
        assert len({row["split"] for row in rows if row["group"] == group}) == 1
    data = read_run(home / "run").record.data
    assert (data.groups, data.train_groups, data.test_groups) == (16, 12, 4)
    assert (data.group_origin, data.cut_groups, data.cut_test_images) == ("column animal", 0, 0)
    settings = json.loads((home / "run" / "run.json").read_text())["settings"]
    assert settings["group_column"] == "animal"


def test_a_split_through_groups_is_a_warning_everywhere(home: Path) -> None:
    table = (home / "pictures" / "all.csv").read_text().splitlines()
    splits = ["split", *("test" if i % 3 == 0 and i < 15 else "train" for i in range(24))] + [
        "test" if i > 20 else "train" for i in range(24)
    ]
    (home / "cut").mkdir()
    for path in (home / "pictures").glob("*.png"):
        shutil.copy(path, home / "cut")
    (home / "cut" / "all.csv").write_text(
        "\n".join(",".join(pair) for pair in zip(table, splits, strict=True))
    )
    done = run_command(
        "classify", "--data", "cut", "--group-column", "animal", *ARGUMENTS, "--out", "cut-run",
        "--json", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warning = "5 of 16 groups are on both sides of the split of the data, as 'b0': 5 images of 8"
    assert warning in done.stderr
    assert warning in text_of(home / "cut-run" / "report.html")
    summary = json.loads(done.stdout)
    assert any(warning in remark for remark in summary["remarks"])
    assert summary["groups"] == {
        "origin": "column animal",
        "number": 16,
        "train": 15,
        "test": 6,
        "cut": 5,
        "test_images_cut": 5,
    }
