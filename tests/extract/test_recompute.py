"""`python -m cache verify --sample N`: stored embeddings against the installed libraries."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from cache import Store
from cache.cli import main
from extract.backbones.catalog import construct
from extract.frozen import FrozenBase
from extract.options import BaseSettings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embed six pictures with random weights."""
    home = tmp_path_factory.mktemp("home")
    np.savez(home / "vgg16.npz", *construct("vgg16", 32).get_weights())
    base = FrozenBase.choose(
        BaseSettings(size=32, weights=str(home / "vgg16.npz"), cache=home / "cache")
    )
    rng = np.random.default_rng(0)
    paths = [home / f"{i}.png" for i in range(6)]
    for path in paths:
        cv2.imwrite(str(path), rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
        path.touch()

    for path in paths:
        os.utime(path, (1e9, 1e9))
    base.extract(paths)
    return home


def verify(home: Path, *arguments: str) -> int:
    return main(["verify", "--cache", str(home / "cache"), "--quiet", *arguments])


def test_a_sample_is_computed_again(home: Path, capsys: pytest.CaptureFixture) -> None:
    """On the same machine the numbers are the same."""
    assert verify(home, "--sample", "4", "--weights", str(home / "vgg16.npz")) == 0
    out = capsys.readouterr().out
    found = re.search(r"4 embeddings computed again: largest relative difference (\S+)", out)
    assert found
    assert float(found[1]) < 1e-5


def test_other_weights_are_named_as_such(home: Path, capsys: pytest.CaptureFixture) -> None:
    """With other weights the numbers would differ although the cache is right."""
    np.savez(home / "other.npz", *construct("vgg16", 32).get_weights())
    assert verify(home, "--sample", "4", "--weights", str(home / "other.npz")) == 2
    assert "are not the ones that were used" in capsys.readouterr().err


def test_networks_of_several_files_are_computed_again(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Each recipe names its weights by their content, so the order does not matter."""
    name = "mobilenet:alpha=0.25"
    np.savez(tmp_path / "small, too.npz", *construct(name, 32).get_weights())
    cache = tmp_path / "cache"
    for backbone, file in (("vgg16", home / "vgg16.npz"), (name, tmp_path / "small, too.npz")):
        settings = BaseSettings(backbone, size=32, weights=str(file), cache=cache)
        FrozenBase.choose(settings).extract([home / "0.png", home / "1.png"])
    (tmp_path / "small.npz").symlink_to(tmp_path / "small, too.npz")
    both = f"{tmp_path / 'small.npz'},{home / 'vgg16.npz'}"
    arguments = ["verify", "--cache", str(cache), "--quiet", "--sample", "4", "--weights"]
    assert main([*arguments, both]) == 0
    assert "4 embeddings computed again" in capsys.readouterr().out
    assert main([*arguments, str(home / "vgg16.npz")]) == 2
    assert main([*arguments, str(tmp_path / "small, too.npz")]) == 2


def test_embeddings_of_other_numbers_are_found(home: Path, capsys: pytest.CaptureFixture) -> None:
    """A row that the installed libraries compute differently shows in the difference."""
    store = Store(home / "cache")
    (recipe,) = store.recipes()
    ((path, digest),) = list(store.digests([home / "0.png"]).items())
    rows = store.read(recipe.fingerprint, [digest])
    assert path.name == "0.png"
    store.index.drop_recipe(recipe.fingerprint)
    store.append(recipe.fingerprint, recipe.canonical, [digest], rows * np.float32(1.01))
    assert verify(home, "--sample", "9", "--weights", str(home / "vgg16.npz")) == 0
    assert "1 embedding computed again: largest relative difference 9.9e-03" in (
        capsys.readouterr().out
    )


def test_without_the_pictures_nothing_is_compared(
    home: Path, capsys: pytest.CaptureFixture
) -> None:
    """Moved files cannot be computed again, and the command says so."""
    for path in home.glob("?.png"):
        path.rename(path.with_suffix(".moved"))
    assert verify(home, "--sample", "2", "--weights", str(home / "vgg16.npz")) == 2
    assert "none of the image files is where it was last seen" in capsys.readouterr().err
