"""Options: presets, and what the command line changes of them."""

from __future__ import annotations

import argparse

import pytest

from extract.options import Options, add_arguments, options_from


def read(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("lesson", (150, "float32", "notebook", False)),
        ("default", (150, "float32", "auto", False)),
        ("fast", (150, "int8", "auto", False)),
        ("best", (224, "int8", "auto", True)),
    ],
)
def test_a_preset_sets_size_precision_preprocessing_and_flip(
    preset: str, expected: tuple[int, str, str, bool]
) -> None:
    """Each name stands for one way to embed."""
    options = read("--preset", preset)
    assert (options.size, options.precision, options.preprocess, options.flip) == expected
    assert options.described_preset == preset


def test_without_arguments_the_defaults_are_taken() -> None:
    """The parser has no defaults of its own."""
    assert read() == Options()


def test_an_option_changes_a_preset_and_the_description_says_so() -> None:
    """What is given beats the preset, wherever it stands on the line."""
    options = read("--size", "150", "--no-flip", "--preset", "best", "--seed", "3")
    assert (options.size, options.flip, options.precision) == (150, False, "int8")
    assert options.described_preset == "best, but size 150, flip False"
