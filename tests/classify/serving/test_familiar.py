"""Which file of a run says how familiar new images are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from classify import persistence
from classify.errors import ModelError
from classify.evaluation.unfamiliar.familiarity import Familiarity
from classify.serving.familiar import find_familiarity

if TYPE_CHECKING:
    from pathlib import Path


def saved(folder: Path, seed: int, n: int) -> str:
    """Save a sound file; return its name."""
    folder.mkdir()
    rows = np.random.default_rng(seed).normal(size=(n, 8))
    return persistence.save_familiarity(Familiarity().fit(rows), folder, "familiarity")


def run_with(file: str, n_images: int) -> Any:
    """Return what the function reads of a record."""
    known = SimpleNamespace(file=file, n_images=n_images, sha256=None)
    base = SimpleNamespace(backbone="vgg16", familiarity=known)
    return SimpleNamespace(bases=[base], results=[], base_of=lambda _: base)


@pytest.mark.parametrize("where", ["{}", "../other/{}", "{other}/{}", "sub/../../other/{}"])
def test_only_a_file_in_the_folder_of_the_run_is_read(tmp_path: Path, where: str) -> None:
    """Whatever path a record that somebody has written names."""
    name = saved(tmp_path / "run", 0, 30)
    saved(tmp_path / "other", 1, 20)
    run = run_with(where.format(name, other=tmp_path / "other"), 30)
    found = find_familiarity(run, run, tmp_path / "run", 0.1)
    assert found is not None
    assert found.n_samples_ == 30


def test_a_record_that_names_another_number_of_images_refuses_none(tmp_path: Path) -> None:
    """So few cannot show that a share of familiar images is refused."""
    run = run_with(saved(tmp_path / "run", 0, 30), 8)
    with pytest.raises(ModelError, match="at least 9 training images") as caught:
        find_familiarity(run, run, tmp_path / "run", 0.1)
    assert caught.value.setting == "reject"
