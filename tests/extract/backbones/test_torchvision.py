"""Torchvision's weights: a pickle and an archive are read safely."""

from __future__ import annotations

import io
import pickle
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from extract.backbones import torchvision
from extract.errors import WeightsError
from tests.extract.weight_samples import Hostile

if TYPE_CHECKING:
    from pathlib import Path


def test_hostile_pickle_is_refused_before_it_runs(tmp_path: Path) -> None:
    """A pickle that would run a command is refused, and the command does not run."""
    canary = tmp_path / "canary"
    data = pickle.dumps({"VGG16_0": Hostile(canary)}, protocol=3)
    with pytest.raises(WeightsError, match="only NumPy arrays are allowed"):
        torchvision.load_arrays(data)
    assert not canary.exists()
    pickle.loads(data)
    assert canary.exists(), "the canary itself must be able to sing"


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_protocols_cannot_slip_another_name_in(protocol: int) -> None:
    """Other names are refused in every protocol."""
    with pytest.raises(WeightsError, match="cannot be read safely"):
        torchvision.load_arrays(pickle.dumps(np.save, protocol=protocol))


def test_broken_pickle_is_refused() -> None:
    """Bytes that are not a pickle raise the toolkit's own error."""
    with pytest.raises(WeightsError, match="cannot be read safely"):
        torchvision.load_arrays(b"not a pickle")


def test_pickled_arrays_are_read() -> None:
    """Arrays in plain containers come out as they went in."""
    tree = {"VGG16_0": {"Conv_0": {"kernel": np.arange(4, dtype=np.float32)}}}
    read = torchvision.load_arrays(pickle.dumps(tree, protocol=3))
    np.testing.assert_array_equal(read["VGG16_0"]["Conv_0"]["kernel"], np.arange(4))


def test_convolutions_come_in_numeric_order() -> None:
    """Conv_10 follows Conv_9, kernel before bias."""
    layers = {
        f"Conv_{i}": {"bias": np.array([i + 0.5]), "kernel": np.array([i + 0.0])}
        for i in reversed(range(13))
    }
    values = [float(array[0]) for array in torchvision.convolutions({"VGG16_0": layers})]
    assert values == [i / 2 for i in range(26)]


@pytest.mark.parametrize("tree", [None, {}, {"VGG16_0": {}}, {"VGG16_0": {"Conv_0": 3}}])
def test_tree_without_convolutions_is_refused(tree: Any) -> None:
    """A pickle of something else is refused."""
    with pytest.raises(WeightsError, match="lack a convolution"):
        torchvision.convolutions(tree)


def write_archive(path: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(member, io.BytesIO(content))
    return path


def test_member_is_read_from_the_archive(tmp_path: Path) -> None:
    """Only this member is read, and nothing is written."""
    member = tarfile.TarInfo(torchvision.MEMBER)
    member.size = 7
    archive = write_archive(tmp_path / "a.tar.gz", member, b"weights")
    assert torchvision.read_member(archive) == b"weights"
    assert list(tmp_path.iterdir()) == [archive]


def test_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A link instead of the weights is not followed."""
    member = tarfile.TarInfo(torchvision.MEMBER)
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with pytest.raises(WeightsError, match="not a regular file of a plausible size"):
        torchvision.read_member(write_archive(tmp_path / "a.tar.gz", member))


def test_member_of_unlikely_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member larger than the weights can be is not read."""
    monkeypatch.setattr(torchvision, "MAX_MEMBER_BYTES", 6)
    member = tarfile.TarInfo(torchvision.MEMBER)
    member.size = 7
    with pytest.raises(WeightsError, match="not a regular file of a plausible size"):
        torchvision.read_member(write_archive(tmp_path / "a.tar.gz", member, b"weights"))


def test_archive_without_the_member_is_refused(tmp_path: Path) -> None:
    """An archive of something else is refused, and so is a file that is not an archive."""
    with pytest.raises(WeightsError, match="does not contain"):
        torchvision.read_member(write_archive(tmp_path / "a.tar.gz", tarfile.TarInfo("other")))
    (tmp_path / "b.tar.gz").write_bytes(b"plain text")
    with pytest.raises(WeightsError, match=r"not a complete tar\.gz file"):
        torchvision.read_member(tmp_path / "b.tar.gz")
