"""A frozen base of an earlier run: its weights are found again, or named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from extract.backbones import weights as pretrained
from extract.backbones.weights import TORCHVISION_VGG16, Weights
from extract.errors import WeightsError
from extract.frozen import FrozenBase
from extract.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = "ab" * 32


def fields_of(identity: str, source: str, **changes: Any) -> dict[str, Any]:
    recipe = Recipe(weights=identity, preprocessing="torch", **changes)
    return {**recipe.to_dict(), "weights_source": source}


def test_missing_weights_are_named_with_their_digest(tmp_path: Path) -> None:
    """A float32 run needs them, and only the user knows where its file is now."""
    with pytest.raises(WeightsError) as raised:
        FrozenBase.from_dict(fields_of(IDENTITY, "elsewhere/vgg16.npz"), cache=tmp_path)
    message = str(raised.value)
    assert f"vgg16's with the SHA-256 {IDENTITY} over their arrays" in message
    assert "there is no file of weights 'elsewhere/vgg16.npz'" in message
    assert "say in which file they are now" in message
    assert raised.value.setting == "weights"


def test_public_weights_are_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the run found torchvision's in a file that is gone; but not if the user names a file."""
    asked = []

    def resolve(spec: str, backbone: str, **_: Any) -> Weights:
        asked.append((spec, backbone))
        return Weights(spec, TORCHVISION_VGG16, "torch", None)

    monkeypatch.setattr(pretrained, "resolve", resolve)
    there = tmp_path / "there.npz"
    there.touch()
    fields = fields_of(TORCHVISION_VGG16, "gone.npz")
    FrozenBase.from_dict(fields, cache=tmp_path)
    FrozenBase.from_dict(fields, weights="named.npz", cache=tmp_path)
    FrozenBase.from_dict({**fields, "weights_source": str(there)}, cache=tmp_path)
    FrozenBase.from_dict({**fields, "weights_source": "imagenet"}, cache=tmp_path)
    sources = ["torchvision", "named.npz", str(there), "imagenet"]
    assert asked == [(source, "vgg16") for source in sources]


def test_a_quantised_network_needs_no_weights(tmp_path: Path) -> None:
    """Unless the user says where they are: these are checked."""
    fields = fields_of(IDENTITY, "gone.npz", precision="int8", quantised="cd" * 32)
    base = FrozenBase.from_dict(fields, cache=tmp_path)
    assert base.weights.identity == IDENTITY
    assert base.to_dict() == fields
    with pytest.raises(WeightsError, match=r"no file of weights 'named\.npz'"):
        FrozenBase.from_dict(fields, weights="named.npz", cache=tmp_path)
