"""Networks of KerasHub: what is read from a preset, what is asked for, and what is refused."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from extract.backbones.hub import presets
from extract.backbones.hub.files import CONFIG, CONVERTER, WEIGHTS
from extract.backbones.listing import list_backbones
from extract.errors import EngineError, RecipeError, WeightsError
from tests.extract.backbones.hub.networks import DEVIATION, MEAN, SIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from extract.backbones.described import DescribedNetwork

pytest.importorskip("keras_hub", reason="needs the extra hub")
pytestmark = pytest.mark.slow


@pytest.fixture
def copied(saved: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a preset that a test may change."""
    return shutil.copytree(saved(), tmp_path / "preset")


@pytest.fixture
def cache(hub_cache: Path) -> Path:
    return hub_cache


def opened(folder: Path | str, cache: Path, **settings: Any) -> DescribedNetwork:
    return presets.open_preset(f"hub:{folder}", cache=cache, **settings)


@pytest.mark.parametrize(
    ("family", "side", "shape", "pooling"),
    [
        ("DINOV2", SIDE, (1, 1 + 4 + 16, 8), "cls"),
        ("DINOV3", SIDE, (1, 1 + 4 + 16, 8), "cls"),
        ("ViT", SIDE, (1, 1 + 16, 8), "cls"),
        ("SwinTransformer", 32, (1, 16, 16), "avg"),
        ("CLIP", SIDE, (1, 1 + 16, 8), "cls"),
        ("SigLIP", SIDE, (1, 8), "none"),
        ("ResNet", 32, (1, 4, 4, 64), "avg"),
        ("MobileNetV5", 32, (1, 4, 4, 48), "avg"),
    ],
)
def test_a_preset_says_all_that_is_needed(
    saved: Callable[..., Path],
    cache: Path,
    family: str,
    side: int,
    shape: tuple[int, ...],
    pooling: str,
) -> None:
    """Only the part that takes images is used, and pooled as its authors do."""
    network = opened(saved(family, side), cache)
    assert (network.size, network.shape) == (side, shape)
    assert network.chosen_pooling("auto") == pooling
    numbers = [",".join(map(str, values)) for values in (MEAN, DEVIATION)]
    assert network.chosen_preprocessing("auto") == f"mean={numbers[0]};std={numbers[1]}"


def test_what_was_found_is_kept(copied: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy, too, has been checked; a warm run starts no other process."""
    first = opened(copied, cache)
    moved = copied.rename(copied.with_name("moved"))
    monkeypatch.setattr(presets, "_checked", None)
    again = opened(moved, cache)
    assert (again.identity, again.shape) == (first.identity, first.shape)
    assert (first.name, again.name) == ("hub:preset", "hub:moved")


@pytest.mark.parametrize("file", [CONFIG, CONVERTER, WEIGHTS])
def test_the_identity_follows_from_what_determines_the_network(
    copied: Path, cache: Path, file: str
) -> None:
    first = opened(copied, cache).identity
    (copied / "README.md").write_text("about this network")
    assert opened(copied, cache).identity == first
    if file == WEIGHTS:
        with h5py.File(copied / file, "r+") as weights:
            bias = weights["layers/layer_normalization/vars/1"]
            bias[...] = np.asarray(bias) + 1
    else:
        (copied / file).write_text((copied / file).read_text() + "\n")
    assert opened(copied, cache).identity != first


def test_a_preset_that_was_used_is_listed(saved: Callable[..., Path], cache: Path) -> None:
    folder = saved("CLIP")
    opened(folder, cache)
    lines = {line["name"]: line for line in list_backbones(cache)}
    line = lines[f"hub:{folder}"]
    assert (line["source"], line["size"], line["embedding_shape"]) == ("hub", SIDE, [8])
    assert line["weights_on_disk"]
    assert 1_000 < line["parameters"] < 3_000


def test_another_size_is_possible_where_the_network_takes_it(
    saved: Callable[..., Path], cache: Path
) -> None:
    """DINOv2 interpolates the positions of its patches; CLIP does not."""
    network = opened(saved("DINOV2"), cache, size=42)
    assert (network.size, network.shape) == (42, (1, 1 + 4 + 36, 8))
    with pytest.raises(WeightsError, match="takes images of 28 x 28 pixels, not of 42 x 42"):
        opened(saved("CLIP"), cache, size=42)
    with pytest.raises(WeightsError, match=r"does not take images of 42 x 42 .*, but of 28"):
        opened(saved("ViT"), cache, size=42)
    with pytest.raises(WeightsError, match="40 is no multiple of that; choose the size 35 or 42"):
        opened(saved("DINOV2"), cache, size=40)


def test_what_a_preset_does_not_say_is_asked_for(saved: Callable[..., Path], cache: Path) -> None:
    folder = saved("ResNet", None)
    with pytest.raises(RecipeError, match="images of any size; choose the side") as raised:
        opened(folder, cache)
    assert raised.value.setting == "size"
    with pytest.raises(RecipeError, match="does not say how the pixels are scaled") as raised:
        opened(folder, cache, size=32).chosen_preprocessing("auto")
    assert raised.value.setting == "preprocess"


def test_a_preset_has_no_layers_to_choose(saved: Callable[..., Path], cache: Path) -> None:
    with pytest.raises(RecipeError, match="found the name of another one: 'norm'") as raised:
        opened(saved(), cache, layer="norm")
    assert raised.value.setting == "layer"


def changed(**fields: Any) -> Callable[[Path], object]:
    """Return a function that changes the description of a preset's network."""

    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        for name, value in fields.items():
            (config if name in config else config["config"])[name] = value
        (folder / CONFIG).write_text(json.dumps(config))

    return change


def with_link(folder: Path) -> None:
    with h5py.File(folder / WEIGHTS, "r+") as weights:
        weights["layers/layer_normalization/vars/2"] = h5py.ExternalLink("/etc/passwd", "x")


def with_nan(folder: Path) -> None:
    with h5py.File(folder / WEIGHTS, "r+") as weights:
        weights["layers/layer_normalization/vars/0"][...] = np.nan


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}}
FOREIGN = {"module": "os", "class_name": "system", "config": {"command": "touch hacked"}}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / CONFIG).unlink(), r"cannot read .*config\.json: No such file"),
        (lambda folder: (folder / WEIGHTS).unlink(), r"cannot read .*model\.weights\.h5"),
        (lambda folder: (folder / CONFIG).write_text("{"), r"config\.json is not JSON"),
        (lambda folder: (folder / CONFIG).write_text("[]"), "not the description of a network"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"x"), "cannot be read as weights"),
        (changed(registered_name="Functional"), "does not describe a network of KerasHub"),
        (changed(registered_name="keras_hub>Nothing"), "no class registered"),
        (changed(data_format=LAMBDA), r"not part of Keras or KerasHub: keras\.layers\.Lambda"),
        (changed(data_format=FOREIGN), r"not part of Keras or KerasHub: os\.system"),
        (changed(hidden_dim=2**20), "it needs more memory than a network of its size should"),
        (changed(hidden_dim="many"), "KerasHub cannot load it: invalid literal"),
        (changed(num_layers=3), "objects could not be loaded"),
        (with_link, "its numbers are in another file"),
        (with_nan, "its output is not finite"),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused(
    copied: Path, cache: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(copied)
    with pytest.raises(WeightsError, match=reason) as raised:
        opened(copied, cache)
    assert raised.value.setting == "backbone"


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "../model.weights.h5", ""])
def test_a_list_of_weights_in_other_places_is_refused(copied: Path, cache: Path, name: str) -> None:
    (copied / WEIGHTS).unlink()
    (copied / "model.weights.json").write_text(json.dumps({"weight_map": {"x": name}}))
    with pytest.raises(WeightsError):
        opened(copied, cache)


def test_a_saved_model_starts_no_check_of_its_preset(
    saved: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = opened(saved(), cache)
    presets._opened.cache_clear()
    monkeypatch.setattr(presets, "_checked", None)
    again = presets.find_weights(network.source, network.identity, cache=cache, size=network.size)
    assert again.identity == network.identity


def test_a_network_without_images_is_refused(tmp_path: Path, cache: Path) -> None:
    import keras_hub

    keras_hub.models.BertBackbone(
        vocabulary_size=10, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path / "bert"))
    with pytest.raises(WeightsError, match="expected one input that takes images"):
        opened(tmp_path / "bert", cache)


def test_names_that_mean_nothing_are_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(WeightsError, match="there is no folder nets/dino"):
        opened("nets/dino", cache)
    with pytest.raises(WeightsError, match="expected the name of a preset or a folder"):
        opened("", cache)
    with pytest.raises(WeightsError, match=r"no preset called 'dinov2_smal' \(did you mean dinov2"):
        opened("dinov2_smal", cache)


def test_without_kerashub_a_preset_says_what_to_install(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presets.importlib.util, "find_spec", {}.get)
    with pytest.raises(EngineError, match=r"pip install '\.\[hub\]'"):
        opened(copied, tmp_path / "cache")
