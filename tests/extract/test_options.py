"""Settings: presets, and how the command line overrides them."""

from __future__ import annotations

import argparse

import pytest

from extract.arguments import add_arguments, options_from
from extract.backbones.weights import Weights
from extract.errors import RecipeError
from extract.options import BaseSettings, Options


def read(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("lesson", ("default", "float32", "notebook", False, "lanczos")),
        ("default", ("default", "float32", "auto", False, "bicubic")),
        ("fast", ("default", "int8", "auto", False, "bicubic")),
        ("best", ("native", "int8", "auto", True, "bicubic")),
    ],
)
def test_a_preset_sets_size_precision_preprocessing_flip_and_resizing(
    preset: str, expected: tuple[str, str, str, bool, str]
) -> None:
    """Each preset stands for one combination of settings."""
    options = read("--preset", preset)
    base = options.base
    assert (base.size, base.precision, base.preprocess, base.flip, base.resize) == expected
    assert options.described_preset == preset


def test_without_arguments_the_defaults_are_taken() -> None:
    """The parser has no defaults of its own."""
    assert read() == Options()


def test_an_option_changes_a_preset_and_the_description_says_so() -> None:
    """Options override the preset, whatever their order."""
    options = read("--size", "150", "--no-flip", "--preset", "best", "--seed", "3")
    base = options.base
    assert (base.size, base.flip, base.precision) == (150, False, "int8")
    assert options.described_preset == "best, but size 150, flip False"


def test_several_backbones_are_options_for_one_after_the_other() -> None:
    """One value of weights applies to all backbones; several are one for each."""
    both = read("--backbone", "VGG16, mobilenet:alpha=0.25").for_each_backbone()
    assert [one.base.backbone for one in both] == ["vgg16", "mobilenet:alpha=0.25"]
    assert [one.base.weights for one in both] == ["auto", "auto"]
    both = read("--backbone", "vgg16,xception", "--weights", "a.h5, b.h5").for_each_backbone()
    assert [one.base.weights for one in both] == ["a.h5", "b.h5"]


def test_the_weights_of_one_backbone_may_have_a_comma() -> None:
    """For a single backbone, the weights are not split at commas."""
    (one,) = read("--weights", "my weights, old.h5").for_each_backbone()
    assert one.base.weights == "my weights, old.h5"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--backbone", "vgg16,VGG-16"), "each backbone once"),
        (("--backbone", "vgg16,"), "no backbone called ''"),
        (("--backbone", "vgg16,xception", "--weights", "a,b,c"), "2 separated by commas, found 3"),
    ],
)
def test_lists_that_do_not_fit_are_refused(arguments: tuple[str, ...], words: str) -> None:
    """Before anything is computed."""
    with pytest.raises(RecipeError, match=words):
        read(*arguments).for_each_backbone()


@pytest.mark.parametrize(
    ("trained_with", "preprocess", "expected"),
    [(None, "auto", "caffe"), ("torch", "auto", "torch"), ("torch", "notebook", "notebook")],
)
def test_preprocessing_belongs_to_the_weights(
    trained_with: str | None, preprocess: str, expected: str
) -> None:
    """Keras's VGG16 uses Caffe's means, torchvision's the torch ones, and notebook on request."""
    weights = Weights("file.h5", "ab" * 32, trained_with, None)
    assert BaseSettings(preprocess=preprocess).recipe(weights).preprocessing == expected


def test_a_size_can_be_named() -> None:
    """VGG16 has its own default, and a size that does not fit fails before any download."""
    assert BaseSettings().size_in_pixels == 150
    assert BaseSettings(size="native").size_in_pixels == 224
    assert BaseSettings("xception", size=128).size_in_pixels == 128
    for size in ("large", 16):
        with pytest.raises(RecipeError, match=r"size must be|pixels a side"):
            _ = BaseSettings(size=size).size_in_pixels


@pytest.mark.parametrize("option", ["--pool", "--pooling"])
def test_both_words_for_pooling_are_heard(option: str) -> None:
    """One is the command's, the other the embedder's."""
    assert read(option, "avg").base.pooling == "avg"


def test_a_convolutional_network_has_no_token_for_the_image() -> None:
    """The first row of its places is none."""
    with pytest.raises(RecipeError, match=r"mobilenet has no token .* choose one of: avg, max, no"):
        _ = BaseSettings("mobilenet", pooling="cls").chosen_pooling
