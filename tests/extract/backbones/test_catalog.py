"""The table of backbones agrees with Keras."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from extract.backbones.catalog import (
    BACKBONES,
    WITH_ALPHA,
    Backbone,
    construct,
    find_backbone,
    preprocess,
)
from extract.backbones.weights import Weights, identity, resolve
from extract.engines.tensorflow import TensorFlowEngine, build
from extract.errors import RecipeError, WeightsError
from extract.recipe import Recipe
from tests.commands import ROOT, python
from toolkit.libraries import import_keras

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def random_vgg16(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """Random weights in a file, as a user might have them."""
    arrays = construct("vgg16", 48).get_weights()
    path = tmp_path_factory.mktemp("weights") / "random.npz"
    np.savez(path, *arrays)
    weights = resolve(str(path), "vgg16", cache=path.parent)
    assert weights.identity == identity(arrays)
    return weights


def recipe(weights: Weights, **fields: object) -> Recipe:
    return Recipe(**{"weights": weights.identity, "preprocessing": "torch", "size": 48} | fields)


def some_images(n: int = 5, size: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def test_vgg16_is_the_lessons() -> None:
    """It has 14,714,688 parameters, none trainable, and turns 150 x 150 into 4 x 4 x 512."""
    model = construct("vgg16", 150)
    assert model.count_params() == 14_714_688
    assert model.output_shape == (None, 4, 4, 512)
    assert model.trainable_weights == []


def test_the_table_is_all_of_keras_applications() -> None:
    """Every network that Keras offers is in the table, and no other."""
    applications = import_keras().applications
    assert {b.application for b in BACKBONES.values()} == {
        name for name in dir(applications) if name[0].isupper()
    }


FIRST_OF_A_FAMILY = (
    *("vgg16", "resnet50", "resnet50v2", "mobilenet", "mobilenetv2", "mobilenetv3small"),
    *("nasnetmobile", "xception", "inceptionv3", "densenet121", "convnexttiny"),
    *("efficientnetb0", "efficientnetv2b0"),
)


def output_shape(backbone: Backbone, size: int) -> tuple[int, int, int]:
    side = backbone.output_side(size)
    return side, side, backbone.output_channels


@pytest.mark.parametrize("size", [75, 97, 126, 150])
@pytest.mark.parametrize("name", [*FIRST_OF_A_FAMILY, "inceptionresnetv2"])
def test_the_shape_of_an_embedding_is_known_for_every_size(name: str, size: int) -> None:
    """Whether or not the size can be halved, it is what Keras builds."""
    keras = import_keras()
    with keras.StatelessScope():
        built = construct(name, size).output_shape
        keras.utils.clear_session()
    assert built == (None, *output_shape(find_backbone(name), size))


@pytest.mark.parametrize("alpha", [0.35, 0.75, 1.4])
@pytest.mark.parametrize("family", WITH_ALPHA)
def test_the_depth_of_an_embedding_is_known_for_every_width(family: str, alpha: float) -> None:
    """It is what Keras builds."""
    keras, name = import_keras(), f"{family}:alpha={alpha}"
    with keras.StatelessScope():
        built = construct(name, 64).output_shape
        keras.utils.clear_session()
    assert built == (None, *output_shape(find_backbone(name), 64))


@pytest.mark.parametrize(
    "name",
    [
        name if name in FIRST_OF_A_FAMILY else pytest.param(name, marks=pytest.mark.exhaustive)
        for name in BACKBONES
    ],
)
def test_the_table_says_what_keras_builds(name: str) -> None:
    """Parameters, and the output's shape at the size that the weights were trained on."""
    backbone, keras = find_backbone(name), import_keras()
    with keras.StatelessScope():
        model = construct(name, backbone.native_size)
        usual = getattr(keras.applications, backbone.application)(weights=None).layers
        keras.utils.clear_session()  # no variable is filled with random numbers at the end
    assert model.count_params() == backbone.parameters
    assert model.output_shape == (None, *output_shape(backbone, backbone.native_size))
    names = [type(layer).__name__ for layer in usual]
    pooled = any(name.startswith("GlobalAveragePooling") for name in names)
    assert backbone.pooling == ("avg" if pooled else "none")
    assert usual[0].output.shape[1] in (backbone.native_size, None)  # None: it takes any


EMBEDDING = (
    *("vgg16", "mobilenet:alpha=0.25", "mobilenetv2:alpha=0.5"),
    *("mobilenetv3small:alpha=0.75", "xception"),
)
EMBEDDING_TOO = (
    *("resnet50", "resnet50v2", "nasnetmobile", "inceptionv3", "inceptionresnetv2"),
    *("densenet121", "convnexttiny", "efficientnetb0", "efficientnetv2b0"),
)


@pytest.mark.parametrize(
    "name",
    [*EMBEDDING, *(pytest.param(name, marks=pytest.mark.exhaustive) for name in EMBEDDING_TOO)],
)
def test_each_family_embeds_an_image(name: str, tmp_path: Path) -> None:
    """With random weights, the embedding has the expected shape and is finite."""
    backbone = find_backbone(name)
    model = construct(name, backbone.min_size)
    arrays, channels = model.get_weights(), model.output_shape[-1]
    path = tmp_path / "random.npz"
    np.savez(path, *arrays)
    weights = Weights(str(path), identity(arrays), None, path)
    wanted = Recipe(
        weights.identity,
        backbone.preprocessing,
        name,
        size=max(96, backbone.min_size),
        pooling=backbone.pooling,
    )
    (embedding,) = TensorFlowEngine(wanted, weights)(some_images(1, wanted.size))
    assert embedding.shape == ((channels,) if backbone.pooling == "avg" else (3, 3, channels))
    assert np.isfinite(embedding).all()
    assert embedding.std() > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vgg16:alpha=0.5", "vgg16 has no argument 'alpha'; its arguments are: none"),
        ("mobilenet:depth=3", "its arguments are: alpha, as in alpha=0.25"),
        ("mobilenet:alpha=much", "above 0 and at most 4, found 'much'"),
        ("mobilenet:alpha=nan", "above 0 and at most 4, found 'nan'"),
        ("vgg17", "no backbone called 'vgg17'"),
    ],
)
def test_a_backbone_that_there_is_not_is_refused(name: str, words: str) -> None:
    """The message lists the valid names."""
    with pytest.raises(RecipeError, match=words):
        find_backbone(name)


def test_the_usual_width_has_no_name_of_its_own() -> None:
    """`mobilenet:alpha=1` is `mobilenet`, so that both are one recipe."""
    assert find_backbone("mobilenet:alpha=1.0").name == "mobilenet"
    assert find_backbone("mobilenet:alpha=.50").name == "mobilenet:alpha=0.5"


def keras_preprocessing(application: str) -> object:
    """Return the `preprocess_input` of the module that has the network."""
    applications = import_keras().applications
    if application.startswith("MobileNetV3"):
        return applications.mobilenet_v3.preprocess_input
    return next(
        module.preprocess_input
        for name in dir(applications)
        if hasattr(module := getattr(applications, name), application)
        and hasattr(module, "preprocess_input")
    )


@pytest.mark.parametrize("name", BACKBONES)
def test_each_backbone_is_preprocessed_as_keras_does(name: str) -> None:
    """The preprocessing in the table equals the network's own `preprocess_input`."""
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 4, 4, 3)).astype(np.float32)
    backbone = find_backbone(name)
    expected = keras_preprocessing(backbone.application)(pixels.copy())
    np.testing.assert_allclose(
        preprocess(pixels.copy(), backbone.preprocessing), expected, rtol=1e-6, atol=1e-6
    )


def test_notebook_preprocessing_is_the_lessons() -> None:
    """BGR / 255, kept for comparison."""
    pixel = np.array([[[[255.0, 127.5, 0.0]]]], np.float32)
    assert preprocess(pixel, "notebook").tolist() == [[[[0.0, 0.5, 1.0]]]]


def test_the_engine_gives_what_keras_gives(random_vgg16: Weights) -> None:
    """One graph with the preprocessing inside equals Keras's predict on preprocessed arrays."""
    images = some_images()
    engine = TensorFlowEngine(recipe(random_vgg16), random_vgg16)
    model = build(recipe(random_vgg16), random_vgg16)

    expected = model.predict(preprocess(images.astype(np.float32), "torch"), verbose=0)
    np.testing.assert_allclose(engine(images), expected, rtol=1e-5, atol=1e-6)


def check_batches(name: str, folder: Path) -> None:
    """Check that a batch's size and order do not change an embedding by a single bit."""
    np.savez(folder / "random.npz", *construct(name, 48).get_weights())
    weights = resolve(str(folder / "random.npz"), name, cache=folder)
    engine = TensorFlowEngine(recipe(weights, backbone=name), weights)
    images = some_images(9)
    together = engine(images)
    order = np.random.default_rng(1).permutation(9)
    assert len(np.unique(together, axis=0)) == 9
    assert np.array_equal(engine(images[order]), together[order]), "the order matters"
    for size in (1, 2, 7, 8):
        apart = np.concatenate([engine(images[i : i + size]) for i in range(0, 9, size)])
        assert np.array_equal(apart, together), f"batches of {size} differ from one of 9"
    assert len(engine(images[:0])) == 0


@pytest.mark.parametrize("name", ["vgg16", "mobilenet"])
def test_a_batchs_size_and_order_do_not_change_the_numbers(name: str, tmp_path: Path) -> None:
    """The batch must not change an embedding by a single bit, so it is not part of a recipe."""
    check_batches(name, tmp_path)


@pytest.mark.parametrize("onednn", ["0", pytest.param("1", marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("name", ["mobilenet", pytest.param("vgg16", marks=pytest.mark.exhaustive)])
def test_batches_do_not_matter_with_or_without_onednn(
    name: str, onednn: str, tmp_path: Path
) -> None:
    """TensorFlow decides when it is imported, so a process of its own computes."""
    code = (
        "import sys; from pathlib import Path; "
        "from tests.extract.backbones.test_catalog import check_batches; "
        "check_batches(sys.argv[1], Path(sys.argv[2]))"
    )
    done = python("-c", code, name, str(tmp_path), cwd=ROOT, TF_ENABLE_ONEDNN_OPTS=onednn)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pooling", ["avg", "max"])
def test_pooling_reduces_the_spatial_axes(random_vgg16: Weights, pooling: str) -> None:
    """`avg` and `max` over height and width of the same activations."""
    plain = TensorFlowEngine(recipe(random_vgg16), random_vgg16)(some_images())
    pooled = TensorFlowEngine(recipe(random_vgg16, pooling=pooling), random_vgg16)(some_images())
    expected = plain.mean(axis=(1, 2)) if pooling == "avg" else plain.max(axis=(1, 2))
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-7)


def test_a_cut_layer_is_found_or_listed(random_vgg16: Weights) -> None:
    """The embedding can be any layer's output; a wrong name lists the layers."""
    cut = TensorFlowEngine(recipe(random_vgg16, layer="block4_pool"), random_vgg16)
    assert cut(some_images()).shape == (5, 3, 3, 512)
    with pytest.raises(RecipeError, match="block5_pool"):
        TensorFlowEngine(recipe(random_vgg16, layer="block9"), random_vgg16)


def test_a_size_below_the_networks_least_is_refused() -> None:
    """Xception needs at least 71 pixels."""
    with pytest.raises(RecipeError, match="71 to 4096 pixels"):
        construct("xception", 70)


def test_weights_of_another_network_are_refused(random_vgg16: Weights) -> None:
    """VGG16's arrays do not fit VGG19."""
    with pytest.raises(WeightsError):
        build(recipe(random_vgg16, backbone="vgg19"), random_vgg16)


@pytest.mark.photographs
def test_a_second_family_with_real_weights_embeds() -> None:
    """Keras's own file fits MobileNet at alpha 0.25, and is refused by the whole MobileNet."""
    file = Path(os.environ.get("VGG16_WEIGHTS_FILE", "")).parent / "mobilenet_2_5_224_tf_no_top.h5"
    if not file.is_file():
        pytest.skip("VGG16_WEIGHTS_FILE does not name a folder with MobileNet's weights")
    weights = resolve(str(file), "mobilenet", cache=file.parent)
    with pytest.raises(WeightsError):
        build(recipe(weights, backbone="mobilenet", preprocessing="tf"), weights)
    narrow = recipe(
        weights, backbone="mobilenet:alpha=0.25", preprocessing="tf", size=224, pooling="avg"
    )
    embeddings = TensorFlowEngine(narrow, weights)(some_images(2, 224))
    assert embeddings.shape == (2, 256)
    assert np.isfinite(embeddings).all()


def test_an_output_that_cannot_be_pooled_so_is_refused(random_vgg16):
    """Its first axis would be taken for tokens."""
    with pytest.raises(
        RecipeError, match=r"of vgg16 has the shape .*choose one of: avg, max, none"
    ):
        build(recipe(random_vgg16, pooling="cls"), random_vgg16)
