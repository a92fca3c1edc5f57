"""What command lines read: sizes."""

import argparse

import pytest

from cache.console import size


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("4GB", 4_000_000_000),
        ("500mb", 500_000_000),
        ("2GiB", 2**31),
        ("1.5 kB", 1500),
        ("3KiB", 3072),
        ("12B", 12),
        ("1000000", 1_000_000),
        ("0", 0),
    ],
)
def test_a_size_is_a_number_with_a_unit_or_without(text: str, n_bytes: int) -> None:
    """Powers of ten and of two, in capitals or not; without a unit it is bytes."""
    assert size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "GB", "4 parrots", "-1GB", "nan", "infGB", "4GBB", "1,5GB"])
def test_what_is_no_size_is_named(text: str) -> None:
    """The message has an example and what was given."""
    with pytest.raises(argparse.ArgumentTypeError, match="expected a size like 500MB") as raised:
        size(text)
    assert repr(text) in str(raised.value)
