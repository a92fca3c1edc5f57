"""Embeddings of networks in files, compared with those that ONNX Runtime computes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest

from cache.store import Store
from extract.backbones import network_files
from extract.backbones.scaling import scaling_of
from extract.embedder import Embedder
from extract.errors import EngineError, RecipeError, WeightsError
from extract.frozen import FrozenBase
from extract.options import BaseSettings, Options
from tests.commands import ROOT, python, run_command
from tests.extract.backbones.onnx_networks import write
from tests.extract.engines.networks import (
    relative_error,
    some_images,
    write_light_and_dark,
)

if TYPE_CHECKING:
    from pathlib import Path


def base_of(path: Path, **settings: Any) -> FrozenBase:
    given = {"preprocess": "imagenet", "cache": path.parent / "cache", **settings}
    return FrozenBase.choose(BaseSettings(str(path), **given))


def by_onnx_runtime(path: Path, images: np.ndarray, preprocessing: str) -> np.ndarray:
    """Return the output of a network with the channels first."""
    scaling = scaling_of(preprocessing)
    scaled = (images.astype(np.float64) - scaling.mean) / scaling.deviation
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels = scaled.transpose(0, 3, 1, 2).astype(np.float32)
    (output,) = session.run(None, {"images": pixels})
    return np.asarray(output)


@pytest.mark.parametrize(
    "preprocess", ["imagenet", "clip", "tf", "none", "mean=.1,.2,.3;std=1,2,3"]
)
def test_the_embeddings_are_those_of_onnx_runtime(tmp_path: Path, preprocess: str) -> None:
    path, images = write(tmp_path / "a.onnx"), some_images(size=16)
    base = base_of(path, preprocess=preprocess)
    there = by_onnx_runtime(path, images, base.recipe.preprocessing)
    assert relative_error(base.make_engine()(images), there) < 1e-5


@pytest.mark.parametrize(
    ("pooling", "pooled"),
    [
        ("avg", lambda pixels: pixels.mean(axis=(2, 3))),
        ("max", lambda pixels: pixels.max(axis=(2, 3))),
        ("none", lambda pixels: pixels.transpose(0, 2, 3, 1)),
    ],
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_outputs_with_pixels_are_pooled(
    tmp_path: Path, channels_last: bool, pooling: str, pooled: Any
) -> None:
    """Or kept with the channels last, as all embeddings are."""
    images, first = some_images(size=16), write(tmp_path / "a.onnx", outputs=["pixels"])
    path = write(tmp_path / "b.onnx", channels_last=channels_last, outputs=["pixels"])
    found = base_of(path, pooling=pooling).make_engine()(images)
    expected = pooled(by_onnx_runtime(first, images, "torch"))
    assert found.shape == expected.shape
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize(
    ("pooling", "pooled"),
    [
        ("cls", lambda tokens: tokens[:, 0]),
        ("avg", lambda tokens: tokens[:, 1:].mean(axis=1)),
        ("none", lambda tokens: tokens),
    ],
)
def test_tokens_are_pooled(tmp_path: Path, pooling: str, pooled: Any) -> None:
    """The mean is that of the patches; the class token is not one of them."""
    images, path = some_images(size=16), write(tmp_path / "a.onnx", outputs=["tokens"])
    found = base_of(path, pooling=pooling).make_engine()(images)
    assert relative_error(found, pooled(by_onnx_runtime(path, images, "torch"))) < 1e-5


def test_openvinos_own_format_gives_the_same_embeddings(tmp_path: Path) -> None:
    path, images = write(tmp_path / "a.onnx"), some_images(size=16)
    openvino.save_model(
        openvino.Core().read_model(path), tmp_path / "b.xml", compress_to_fp16=False
    )
    here, there = base_of(tmp_path / "b.xml"), base_of(path)
    assert here.recipe.weights != there.recipe.weights
    np.testing.assert_allclose(here.make_engine()(images), there.make_engine()(images), rtol=1e-6)


def test_an_embedding_does_not_depend_on_its_batch(tmp_path: Path) -> None:
    engine = base_of(write(tmp_path / "a.onnx")).make_engine()
    images = some_images(n=9, size=16)
    np.testing.assert_array_equal(engine(images)[[4]], engine(images[[4]]))


def test_a_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    base = base_of(write(tmp_path / "a.onnx"))
    write(tmp_path / "a.onnx", outputs=["pixels"])
    with pytest.raises(WeightsError, match="has changed: expected the SHA-256"):
        base.make_engine()


def test_a_file_needs_openvino(tmp_path: Path) -> None:
    base = base_of(write(tmp_path / "a.onnx"), engine="tensorflow")
    with pytest.raises(EngineError, match="a network file needs the engine openvino"):
        base.make_engine()


def test_new_weights_beside_an_openvino_file_are_seen(tmp_path: Path) -> None:
    model = openvino.Core().read_model(write(tmp_path / "a.onnx"))
    openvino.save_model(model, tmp_path / "b.xml", compress_to_fp16=False)
    first = base_of(tmp_path / "b.xml")
    weights = bytearray((tmp_path / "b.bin").read_bytes())
    weights[:4] = np.float32(0.5).tobytes()
    (tmp_path / "b.bin").write_bytes(weights)
    os.utime(tmp_path / "b.bin", (1e9, 1e9))
    second = base_of(tmp_path / "b.xml")
    assert second.recipe.weights != first.recipe.weights
    second.make_engine()


def test_a_saved_model_starts_no_check_of_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks for the size that was found when it was trained."""
    base = base_of(write(tmp_path / "a.onnx"))
    network_files._opened.cache_clear()
    monkeypatch.setattr(network_files, "_checked", None)
    assert FrozenBase.from_dict(base.to_dict(), cache=tmp_path / "cache").recipe == base.recipe


def test_a_file_of_another_cache_is_checked_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, checked = base_of(write(tmp_path / "a.onnx")), []
    network_files._opened.cache_clear()
    describe = network_files.guarded.describe
    monkeypatch.setattr(
        network_files.guarded, "describe", lambda *a, **k: checked.append(a) or describe(*a, **k)
    )
    FrozenBase.from_dict(base.to_dict(), cache=tmp_path / "another-cache")
    assert len(checked) == 1


def test_a_file_has_the_precisions_of_openvino(tmp_path: Path) -> None:
    base = base_of(write(tmp_path / "a.onnx"), precision="float16")
    with pytest.raises(EngineError, match=r"in float32, bfloat16, int8, found float16") as raised:
        base.make_engine()
    assert raised.value.setting == "precision"


def test_the_base_of_an_earlier_run_is_found_again(tmp_path: Path) -> None:
    """Where it was, or where it is now; another file is refused."""
    base = base_of(write(tmp_path / "a.onnx"))
    again = FrozenBase.from_dict(base.to_dict(), cache=tmp_path / "cache")
    assert again.recipe == base.recipe
    (tmp_path / "a.onnx").rename(tmp_path / "b.onnx")
    with pytest.raises(WeightsError, match="a network file with the SHA-256"):
        FrozenBase.from_dict(base.to_dict(), cache=tmp_path / "cache")
    now = str(tmp_path / "b.onnx")
    assert FrozenBase.from_dict(base.to_dict(), weights=now, cache=tmp_path / "cache").weights
    other = str(write(tmp_path / "c.onnx", outputs=["pixels"]))
    with pytest.raises(WeightsError, match="are not the ones that were used"):
        FrozenBase.from_dict(base.to_dict(), weights=other, cache=tmp_path / "cache")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a network and pictures of two classes."""
    write(tmp_path / "net.onnx")
    write_light_and_dark(tmp_path / "pictures")
    return tmp_path


def test_a_run_with_a_file_can_be_predicted_with(home: Path) -> None:
    """From pictures to predictions; a renamed copy finds all embeddings in the cache."""
    options = ("--data", "pictures", "--preprocess", "imagenet", "--cache", "cache")
    done = run_command("classify", *options, "--backbone", "net.onnx", "--clf", "logreg",
                       "--out", "run", cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = run_command("classify.predict", "run", "pictures/dark/1.png", "--cache", "cache",
                       cwd=home)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "dark" in done.stdout
    (home / "net.onnx").rename(home / "copy.onnx")
    done = run_command("extract", *options, "--backbone", "copy.onnx", cwd=home)
    assert "0 computed, 40 from the cache" in done.stdout


def test_a_file_and_another_backbone_are_compared(home: Path) -> None:
    write(home / "other.onnx", outputs=["pixels"])
    done = run_command(
        "classify", "--data", "pictures", "--backbone", "net.onnx,other.onnx", "--clf", "logreg",
        "--preprocess", "tf", "--cache", "cache", "--out", "run", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("logreg@")]
    assert set(rows) == {"logreg@net.onnx", "logreg@other.onnx"}


def test_nothing_of_it_imports_tensorflow(home: Path) -> None:
    code = (
        "import sys; from extract.cli import main; status = main(); "
        "sys.exit('imported TensorFlow' if 'tensorflow' in sys.modules else status)"
    )
    done = python(
        "-c", code, "--data", "pictures", "--backbone", "net.onnx", "--preprocess", "imagenet",
        "--cache", "cache", cwd=home, PYTHONPATH=str(ROOT),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "40 computed" in done.stdout


def test_what_is_not_known_is_asked_for_with_the_option(home: Path) -> None:
    done = run_command(
        "extract", "--data", "pictures", "--backbone", "net.onnx", "--cache", "cache", cwd=home
    )
    assert done.returncode == 2
    assert "(--preprocess)" in done.stderr
    assert Store(home / "cache").recipes() == []


def test_the_embedder_takes_a_file(home: Path) -> None:
    embed = Embedder(str(home / "net.onnx"), preprocess="imagenet", cache=home / "cache")
    paths = sorted((home / "pictures").rglob("*.png"))
    assert embed.transform(paths).shape == (40, 5)
    assert len(embed.get_feature_names_out()) == 5
    with pytest.raises(RecipeError, match="does not say how"):
        Embedder(str(home / "net.onnx"), cache=home / "cache").transform(paths)


@pytest.mark.slow
def test_a_file_is_quantised(home: Path) -> None:
    """The embeddings in int8 are mostly near those in float32, and not the same."""
    paths = sorted((home / "pictures").rglob("*.png"))
    embed = Embedder(str(home / "net.onnx"), preprocess="imagenet", cache=home / "cache")
    exact = embed.transform(paths)
    embed = Embedder(
        str(home / "net.onnx"), preprocess="imagenet", precision="int8", cache=home / "cache"
    )
    rounded = embed.fit(paths).transform(paths)
    errors = np.linalg.norm(rounded - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert 0 < np.median(errors) < 0.1


def test_a_file_beside_other_backbones_gets_what_is_meant_for_it(tmp_path: Path) -> None:
    """What only a file can be told is not for the others, and a file has its own weights."""
    path = str(write(tmp_path / "net.onnx"))
    base = BaseSettings(f"vgg16,{path}", preprocess="clip", weights="vgg16.h5")
    vgg16, file = (options.base for options in Options(base=base).for_each_backbone())
    assert (vgg16.preprocess, vgg16.weights) == ("auto", "vgg16.h5")
    assert (file.preprocess, file.weights) == ("clip", "auto")


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    base = BaseSettings("a/net.onnx,b/net.onnx")
    with pytest.raises(RecipeError, match="with a name of its own"):
        Options(base=base).for_each_backbone()


def test_networks_of_one_name_are_refused_wherever_they_are() -> None:
    """Reports know them by that name."""
    for names in ("hub:dinov2_small,hub:nets/dinov2_small", "a/net.onnx,b/net.onnx"):
        with pytest.raises(RecipeError, match="with a name of its own"):
            Options(base=BaseSettings(names)).for_each_backbone()
    assert len(Options(base=BaseSettings("vgg16,hub:nets/vgg16")).for_each_backbone()) == 2
    many = ",".join(f"nets/{i:050}.onnx" for i in range(100))
    assert len(Options(base=BaseSettings(many)).for_each_backbone()) == 100


@pytest.mark.parametrize("channels_last", [False, True])
def test_channels_are_found_beside_equal_sides(tmp_path: Path, channels_last: bool) -> None:
    """Though the images may have theirs elsewhere."""
    path, images = write(tmp_path / "a.onnx", outputs=["pixels"]), some_images(size=16)
    expected = by_onnx_runtime(path, images, "torch").mean(axis=(2, 3))
    if channels_last:
        model = onnx.load(path)
        (output,) = model.graph.output
        name = output.name
        output.name = "moved"
        model.graph.node.append(
            onnx.helper.make_node("Transpose", [name], ["moved"], perm=[0, 2, 3, 1])
        )
        dims = output.type.tensor_type.shape.dim
        sizes = [1, 8, 8, 5]
        for dim, size in zip(dims, sizes, strict=True):
            dim.Clear()
            dim.dim_value = size
        onnx.save(model, path)
    base = base_of(path)
    assert base.recipe.pooling == "avg"
    assert relative_error(base.make_engine()(images), expected) < 1e-5


@pytest.mark.parametrize("prefix", ["", "hub:"])
def test_a_comma_in_a_path_is_said_to_separate(tmp_path: Path, prefix: str) -> None:
    path = write(tmp_path / "a,b.onnx")
    with pytest.raises(RecipeError, match=r"commas separate backbones, found one in .*rename it"):
        Options(base=BaseSettings(f"{prefix}{path}")).for_each_backbone()


def test_weights_for_a_file_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="has its own weights") as raised:
        base_of(write(tmp_path / "net.onnx"), weights="vgg16.h5")
    assert raised.value.setting == "weights"
