"""Properties of many images, each measured once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from cache.store import Store
from extract.images import collecting
from extract.images.collecting import (
    MEASURED,
    collect_header_properties,
    collect_properties,
)
from extract.images.decoders.pool import DecoderPool

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def digests(tmp_path: Path) -> dict[Path, str]:
    """Three images of noise, and one that is cut off."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.jpg" for i in range(4)]
    for i, path in enumerate(paths):
        pixels = rng.integers(0, 256, (40 + i, 60, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=60 + i)
    paths[3].write_bytes(paths[3].read_bytes()[:-500])
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def no_decoder(*_: object) -> None:
    raise AssertionError("an image is decoded again")


def test_images_are_measured_once(
    store: Store, digests: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their SHA-256; a damaged one is left out."""
    stages = []
    found = collect_properties(digests, store, progress=lambda *stage: stages.append(stage))
    assert [found[d].quality for d in list(digests.values())[:3]] == [60, 61, 62]
    assert len(found) == 3
    assert stages[-1] == ("measuring images", 4, 4)
    monkeypatch.setattr(collecting, "DecoderPool", no_decoder)
    whole = dict(list(digests.items())[:3])
    assert collect_properties(whole, store) == found


def test_an_image_that_has_changed_is_another_one(store: Store, digests: dict[Path, str]) -> None:
    """Nothing is remembered under the SHA-256 that it had."""
    first, second, *_ = digests
    first.write_bytes(second.read_bytes())
    assert digests[first] not in collect_properties(digests, store)
    assert digests[first] not in store.notes.recall(MEASURED, list(digests.values()))


def test_damaged_notes_are_measured_again(store: Store, digests: dict[Path, str]) -> None:
    """So are those of a version that measured something else."""
    first = next(iter(digests.values()))
    store.notes.remember(MEASURED, {first: '{"width": "wide"}'})
    assert collect_properties(digests, store)[first].width == 60


def test_headers_are_read_without_decoding(
    store: Store, digests: dict[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the damaged one; a file that has gone is left out; all are remembered."""
    monkeypatch.setattr(DecoderPool, "__init__", no_decoder)
    gone, *others = digests
    gone.unlink()
    found = collect_header_properties(digests, store)
    assert [found[digests[path]].height for path in others] == [41, 42, 43]
    assert digests[gone] not in found
    assert found[digests[others[0]]].brightness is None
    for path in others:
        path.unlink()
    assert collect_header_properties(digests, store) == found


def test_only_the_beginning_of_a_file_is_read_for_its_header(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is that of the whole file."""
    read = []
    whole = collecting.read_bytes
    monkeypatch.setattr(
        collecting, "read_bytes", lambda *args: read.append(whole(*args)) or read[-1]
    )
    path = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 500, 3), np.uint8)).save(path)
    found = collect_header_properties({path: "a" * 64}, store)["a" * 64]
    assert (found.width, found.height) == (500, 400)
    assert found.n_bytes == path.stat().st_size > 2**19
    assert len(read[0]) == 2**18


def test_nothing_is_fetched_for_a_header(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run on images at an address reads them once."""
    from toolkit.addresses import as_path

    monkeypatch.setattr(collecting, "read_bytes", no_decoder)
    address = as_path("https://localhost:1/picture.jpg")
    assert collect_header_properties({address: "b" * 64}, store) == {}
