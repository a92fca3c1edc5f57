"""`classify.compare` keeps samples together that the caller says belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify import ClassifierError, compare
from classify.experiment.inputs import ArrayInputs
from classify.experiment.settings import RunSettings
from classify.image_data import as_dataset
from extract.errors import DataError
from extract.options import Options
from tests.classify.experiment.test_compare import blobs
from tests.extract.datasets.grouping.samples import make, patients

if TYPE_CHECKING:
    from pathlib import Path

    from extract.datasets.dataset import Dataset

X, Y = blobs()
GROUPS = [f"{label}{i // 9}" for i, label in enumerate(Y)]
"""Three rows of each group."""


def split_of(groups: Any) -> Dataset:
    """Return the rows as `compare` splits them."""
    inputs = ArrayInputs(X.astype(np.float32), Y.tolist(), groups=groups)
    (features,) = inputs.features([], RunSettings(), lambda *_: None)
    return features.dataset


def test_rows_of_one_group_are_on_one_side(tmp_path: Path) -> None:
    data = compare((X, Y), None, "centroid", groups=GROUPS, out=tmp_path / "out").record.data
    assert (data.groups, data.train_groups, data.test_groups) == (30, 24, 6)
    assert data.group_origin == "as given"
    drawn = split_of(GROUPS)
    assert not set(drawn.train.groups) & set(drawn.test.groups)


@pytest.mark.parametrize("missing", [None, "unknown", "n/a"])
def test_a_missing_group_is_one_of_its_own(missing: str | None) -> None:
    drawn = split_of([missing if i < 9 else group for i, group in enumerate(GROUPS)])
    assert drawn.n_groups() == 27 + 9


def test_other_groups_are_other_data() -> None:
    inputs = [
        ArrayInputs(X.astype(np.float32), Y.tolist(), groups=groups)
        for groups in (GROUPS, [*GROUPS[:-3], "x", "y", "z"])
    ]
    found = [each.features([], RunSettings(), lambda *_: None)[0].fingerprint for each in inputs]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (GROUPS[:-1], r"one value for each of 90 samples, found shape \(89,\)"),
        ("animal", "one value for each of 90 samples, found 'animal'"),
        (["x"] * 90, "all 90 images are in one group, 'x'"),
        (Y.tolist(), "each class is one group"),
    ],
)
def test_groups_that_do_not_fit_are_a_clear_error(
    tmp_path: Path, groups: Any, message: str
) -> None:
    with pytest.raises((ClassifierError, DataError), match=message) as caught:
        compare((X, Y), None, "centroid", groups=groups, out=tmp_path / "out")
    assert caught.value.setting == "groups"


def test_paths_take_one_group_each_and_folders_a_table(tmp_path: Path) -> None:
    names = patients()
    folder = make(tmp_path / "data", names)
    groups = [name.partition("_")[0].rpartition("/")[2] for name in names]
    paths, labels = [folder / name for name in names], [name.partition("/")[0] for name in names]
    given = as_dataset((paths[::-1], labels[::-1]), Options(), groups=groups[::-1])
    assert [item.group for item in given.items] == groups
    table = tmp_path / "groups.csv"
    rows = [f"{name},{group}" for name, group in zip(names, groups, strict=True)]
    table.write_text("\n".join(["path,group", *rows]))
    found = as_dataset(str(folder), Options(), groups=table)
    assert [item.group for item in found.items] == groups
    with pytest.raises(ClassifierError, match="expected the table with the groups"):
        as_dataset(str(folder), Options(), groups=groups)
    with pytest.raises(ClassifierError, match="the data are a data set, which knows its groups"):
        as_dataset(found, Options(), groups=groups)
