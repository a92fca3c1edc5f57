"""Embeddings of KerasHub's networks, compared with those that KerasHub itself computes."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from extract.embedder import Embedder
from extract.engines import openvino
from extract.engines.tensorflow import graph
from extract.errors import RecipeError, WeightsError
from extract.frozen import FrozenBase
from extract.options import BaseSettings, Options
from tests.commands import ROOT, python, run_command
from tests.extract.backbones.hub.networks import SIDE, save
from tests.extract.engines.networks import (
    relative_error,
    some_images,
    write_light_and_dark,
)
from toolkit.libraries import import_keras, import_keras_hub, openvino_core

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest.importorskip("keras_hub", reason="needs the extra hub")
pytestmark = pytest.mark.slow


def base_of(folder: Path, **settings: Any) -> FrozenBase:
    settings.setdefault("cache", folder.parent / "cache")
    return FrozenBase.choose(BaseSettings(f"hub:{folder}", **settings))


def by_keras_hub(folder: Path, family: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return what a whole network computes from images and text, by the name of the output."""
    hub = import_keras_hub()
    network = hub.models.Backbone.from_preset(str(folder))
    scaled = hub.layers.ImageConverter.from_preset(str(folder))(images)
    if family == "CLIP":
        tokens = network.vision_encoder(scaled)
        # What its classification of texts begins with.
        cls = network.vision_pooler(tokens)
        return {"cls": np.asarray(cls), "tokens": np.asarray(tokens)}
    if family == "SigLIP":
        return {"none": np.asarray(network.get_vision_embeddings(scaled))}
    output = np.asarray(network(scaled))
    if output.ndim == 4:
        return {"avg": output.mean(axis=(1, 2)), "max": output.max(axis=(1, 2))}
    return {"cls": output[:, 0], "tokens": output, "avg": output[:, -((SIDE // 7) ** 2) :].mean(1)}


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
@pytest.mark.parametrize(
    ("family", "side", "pooling"),
    [
        ("DINOV2", SIDE, "cls"),
        ("DINOV2", SIDE, "avg"),
        ("DINOV3", SIDE, "cls"),
        ("ViT", SIDE, "cls"),
        ("SwinTransformer", 32, "avg"),
        ("CLIP", SIDE, "cls"),
        ("SigLIP", SIDE, "none"),
        ("ResNet", 32, "max"),
        ("MobileNetV5", 32, "avg"),
    ],
)
def test_the_embeddings_are_those_of_kerashub(
    saved: Callable[..., Path],
    hub_cache: Path,
    engine: str,
    family: str,
    side: int,
    pooling: str,
) -> None:
    folder, images = saved(family, side), some_images(size=side)
    base = base_of(folder, engine=engine, pooling=pooling, cache=hub_cache)
    expected = by_keras_hub(folder, family, images)[pooling]
    assert relative_error(base.make_engine()(images), expected) < 1e-5


def test_the_pooling_is_by_default_that_of_the_authors(
    saved: Callable[..., Path], hub_cache: Path
) -> None:
    folder, images = saved(), some_images(size=SIDE)
    expected = by_keras_hub(folder, "DINOV2", images)
    base = base_of(folder, cache=hub_cache)
    assert relative_error(base.make_engine()(images), expected["cls"]) < 1e-5
    tokens = base_of(folder, pooling="none", cache=hub_cache).make_engine()(images)
    assert relative_error(tokens, expected["tokens"]) < 1e-5


def test_a_converted_network_has_weights_of_its_own(
    saved: Callable[..., Path], hub_cache: Path
) -> None:
    """Memory that TensorFlow frees, and others write to, is not a part of it."""
    base, images = base_of(saved("ViT"), cache=hub_cache), some_images(size=SIDE)
    expected = graph(base.recipe, base.weights)(images).numpy()
    converted = openvino._convert_from_tensorflow(base.recipe, base.weights)
    import_keras().backend.clear_session()
    gc.collect()
    written = [np.full(n, np.nan, np.float32) for n in range(1, 20_000)]
    # Without a precision, OpenVINO computes in bfloat16 on a processor that has it.
    float32 = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino_core().compile_model(converted, "CPU", float32)
    found = np.concatenate([compiled([image[np.newaxis]])[0] for image in images])
    assert relative_error(found, expected) < 1e-5
    del written


def test_files_that_have_changed_are_refused(tmp_path: Path) -> None:
    base = base_of(save(tmp_path / "preset"))
    save(tmp_path / "preset", "ViT")
    with pytest.raises(WeightsError, match="have changed since they were checked"):
        base.make_engine()


def test_the_base_of_an_earlier_run_is_found_again(tmp_path: Path) -> None:
    """Where it was, or where it is now; another preset is refused."""
    base, cache = base_of(save(tmp_path / "a")), tmp_path / "cache"
    assert FrozenBase.from_dict(base.to_dict(), cache=cache).recipe == base.recipe
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(WeightsError, match="whose files have the SHA-256"):
        FrozenBase.from_dict(base.to_dict(), cache=cache)
    now = str(tmp_path / "b")
    again = FrozenBase.from_dict(base.to_dict(), weights=now, cache=cache)
    assert again.make_engine()(some_images(size=SIDE)).shape == (5, 8)
    save(tmp_path / "b", "ViT")
    with pytest.raises(WeightsError, match="are not the ones that were used"):
        FrozenBase.from_dict(base.to_dict(), weights=now, cache=cache)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a preset and pictures of two classes."""
    save(tmp_path / "dino")
    write_light_and_dark(tmp_path / "pictures")
    return tmp_path


def test_a_run_with_a_preset_can_be_predicted_with(home: Path) -> None:
    """From pictures to predictions, in float32 and int8; a warm run needs no TensorFlow."""
    options = ("--data", "pictures", "--backbone", "hub:dino", "--cache", "cache")
    for precision in ("float32", "int8"):
        done = run_command("classify", *options, "--precision", precision, "--clf", "logreg",
                           "--out", f"run-{precision}", cwd=home)  # fmt: skip
        assert done.returncode == 0, done.stderr
        done = run_command("classify.predict", f"run-{precision}", "pictures/dark/1.png",
                           "--cache", "cache", cwd=home)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "dark" in done.stdout
    code = (
        "import sys; from extract.cli import main; status = main(); "
        "sys.exit('imported TensorFlow' if 'tensorflow' in sys.modules else status)"
    )
    done = python("-c", code, *options, cwd=home, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert "0 computed, 40 from the cache" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("--clf", "finetune"), ("--weights", "vgg16.h5"), ("--layer", "norm"), ("--pool", "max")],
)
def test_what_a_preset_does_not_offer_is_refused(home: Path, arguments: tuple[str, ...]) -> None:
    done = run_command("classify", "--data", "pictures", "--backbone", "hub:dino", *arguments,
                       "--cache", "cache", "--out", "run", cwd=home)  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "hub:dino" in done.stderr


def test_a_preprocessing_is_for_the_networks_that_need_one(home: Path) -> None:
    """Beside others, a preset that says how pixels are scaled keeps that; alone, it is asked."""
    save(home / "plain", side=None)
    base = BaseSettings(f"hub:{home / 'dino'},hub:{home / 'plain'}", preprocess="tf")
    dino, plain = (options.base for options in Options(base=base).for_each_backbone())
    assert (dino.preprocess, plain.preprocess) == ("auto", "tf")
    assert base_of(home / "dino", preprocess="tf").recipe.preprocessing == "tf"


def test_a_folder_without_its_prefix_is_told_of_it(home: Path) -> None:
    options = Options(base=BaseSettings(str(home / "dino")))
    with pytest.raises(RecipeError, match="but a folder; if it has a preset of KerasHub, choose"):
        options.for_each_backbone()


def test_the_embedder_takes_a_preset(home: Path) -> None:
    embed = Embedder(f"hub:{home / 'dino'}", cache=home / "cache")
    assert embed.transform(sorted((home / "pictures").rglob("*.png"))).shape == (40, 8)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make the hub unreachable; return the folder of what Kaggle's package has downloaded."""
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    return tmp_path / "kaggle"


def test_a_hub_out_of_reach_is_explained(offline: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        FrozenBase.choose(BaseSettings("hub:dinov2_small", cache=tmp_path / "cache"))
    assert str(raised.value) == (
        "KerasHub cannot download dinov2_small (ProxyError); download "
        "kaggle.com/models/keras/dinov2/keras/dinov2_small elsewhere, unpack it into a folder "
        "here, and choose hub:FOLDER"
    )


def test_a_downloaded_preset_needs_no_hub(offline: Path, tmp_path: Path) -> None:
    handle = import_keras_hub().models.Backbone.presets["dinov2_small"]["kaggle_handle"]
    folder = offline / "models" / handle.removeprefix("kaggle://")
    save(folder)
    for name in ("config.json", "image_converter.json", "model.weights.h5"):
        marker = folder.parent / ".complete" / folder.name / f"{name}.complete"
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    settings = BaseSettings("hub:dinov2_small", cache=tmp_path / "cache")
    base = FrozenBase.choose(settings)
    assert base.recipe.backbone == "hub:dinov2_small"
    assert base.recipe.weights == base_of(folder, cache=tmp_path / "cache").recipe.weights
    assert base.make_engine()(some_images(size=SIDE)).shape == (5, 8)
