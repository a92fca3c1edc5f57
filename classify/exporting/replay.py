"""The proof of an exported file: its answers beside those of the model that it was made of."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from classify.errors import ModelError
from classify.exporting.network import FAMILIARITY, PROBABILITIES
from classify.exporting.runtimes import answers_of
from extract.images.decoders.pool import DecoderPool
from extract.images.loading import default_workers
from toolkit.progress import Progress, silent
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from classify.exporting.runtimes import Runtime
    from classify.exporting.saved import SavedModel

SAME_ANSWERS = 0.999
"""Share of the images for which the exported file must answer the same class."""
LARGEST_DIFFERENCE = 0.01
"""Of a probability, if both compute in float32."""
LARGEST_LOSS = 0.003
"""Of accuracy, if one of them computes in 8 bits and the other does not."""

# Images whose pixels are in memory together.
_BLOCK = 16
# Larger than any image, so that none is shrunk.
_FULL_SIZE = 2**31 - 1


@dataclass(frozen=True)
class Replay:
    """An exported file and its model on the same images.

    Parameters
    ----------
    n_images : int
        Images that both have classified.
    n_same : int
        Images for which both answer the same class.
    largest_difference : float
        Of the probability of a class, over all images and classes.
    of_familiarity : float or None
        Largest difference of how familiar an image is; None if that is not exported.
    accuracy : float or None
        Of the exported file; None if the true classes are not known.
    accuracy_of_model : float or None
    n_unusable : int
        Images that are missing or cannot be used.
    n_rescaled : int
        Images whose probabilities would differ by more, because the model decodes large JPEGs at a
        smaller scale; for these, it was given their pixels instead.
    first_differing : str, optional
        The first image with another answer, else with a probability that differs by more than
        `LARGEST_DIFFERENCE`, in words.
    images_per_second : float
        Of the exported file, one image at a time.
    """

    n_images: int
    n_same: int
    largest_difference: float
    of_familiarity: float | None
    accuracy: float | None
    accuracy_of_model: float | None
    n_unusable: int
    n_rescaled: int
    first_differing: str | None
    images_per_second: float

    def sentence(self) -> str:
        """Say in words what the comparison has found."""
        what = (
            f"same class for {self.n_same:,} of {plural(self.n_images, 'image')}, probabilities "
            f"within {self.largest_difference:.2g}"
        )
        if self.of_familiarity is not None:
            what += f", familiarity within {self.of_familiarity:.2g}"
        if self.accuracy is not None and self.accuracy_of_model is not None:
            what += f"; accuracy {self.accuracy:.4f}, of the model {self.accuracy_of_model:.4f}"
        if self.n_unusable:
            what += f"; {plural(self.n_unusable, 'image')} missing or unusable"
        if self.n_rescaled:
            what += (
                f"; {plural(self.n_rescaled, 'large JPEG')} compared by their pixels, because the "
                "model decodes them at a smaller scale"
            )
        return what

    def fault(self, *, same_precision: bool, is_float: bool) -> str | None:
        """Return why the exported file may not be used; None if it may.

        Parameters
        ----------
        same_precision : bool
            Whether both compute in the same precision.
        is_float : bool
            Whether the exported file computes in float32.
        """
        share = self.n_same / self.n_images
        if not same_precision:
            loss = 1 - share
            if self.accuracy is not None and self.accuracy_of_model is not None:
                loss = self.accuracy_of_model - self.accuracy
            if loss <= LARGEST_LOSS:
                return None
            return f"it loses {100 * loss:.2f} points, {100 * LARGEST_LOSS:.1f} are allowed"
        if share < SAME_ANSWERS:
            return f"same class for {share:.2%} only, {SAME_ANSWERS:.1%} are expected"
        if is_float and self.largest_difference > LARGEST_DIFFERENCE:
            return (
                f"a probability differs by {self.largest_difference:.3f}, {LARGEST_DIFFERENCE} is "
                "allowed"
            )
        return None


@dataclass
class _Tally:
    """What is counted over the blocks of images."""

    n_images: int = 0
    n_same: int = 0
    n_unusable: int = 0
    n_rescaled: int = 0
    largest: float = 0.0
    of_familiarity: float | None = None
    seconds: float = 0.0
    correct: list[tuple[bool, bool]] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    other_class: str | None = None
    other_probability: str | None = None


def replay(
    model: SavedModel,
    run: Runtime,
    files: Sequence[Path],
    labels: Sequence[str] | None,
    progress: Progress = silent,
) -> Replay:
    """Compare an exported file with its model.

    Parameters
    ----------
    model : SavedModel
    run : callable
        The exported file; see `classify.exporting.runtimes`.
    files : sequence of Path
        Images. The exported file gets all of their pixels.
    labels : sequence of str, optional
        Their true classes.
    progress : Progress
        Called with the stage "comparing".

    Raises
    ------
    ModelError
        If none of the images can be used.
    """
    tally, n_workers = _Tally(), default_workers()
    familiarity = model.find_familiarity()
    truth = labels if labels is not None else [None] * len(files)
    rows = list(zip(files, truth, strict=True))
    with (
        DecoderPool(1, model.max_pixels, at_most=n_workers) as decode,
        ThreadPoolExecutor(n_workers) as threads,
    ):
        for start in range(0, len(rows), _BLOCK):
            progress("comparing", start, len(rows))
            block = rows[start : start + _BLOCK]
            decoded = list(threads.map(lambda row: decode.thumbnail(row[0], _FULL_SIZE), block))
            usable = [
                (file, label, found.image)
                for (file, label), found in zip(block, decoded, strict=True)
                if found.image is not None
            ]
            tally.n_unusable += len(block) - len(usable)
            if usable:
                _compare(model, run, familiarity, usable, tally)
        progress("comparing", len(rows), len(rows))
    if not tally.n_images:
        raise ModelError(
            f"an export is compared with its model on images, and none of {len(files):,} can be "
            "used; put the test images back where the run had them, or name others",
            setting="replay",
        )
    known = labels is not None
    if known and (missing := set(truth) - tally.classes):
        names = ", ".join(sorted(printable(str(label)) for label in missing))
        raise ModelError(
            f"no image of {names} can be compared: {tally.n_unusable:,} of {len(files):,} test "
            "images are missing or cannot be used; put them back where the run had them, or name "
            "others",
            setting="replay",
        )
    of_export, of_model = np.mean(tally.correct, axis=0) if known else (None, None)
    return Replay(
        tally.n_images,
        tally.n_same,
        tally.largest,
        tally.of_familiarity,
        None if of_export is None else float(of_export),
        None if of_model is None else float(of_model),
        tally.n_unusable,
        tally.n_rescaled,
        tally.other_class or tally.other_probability,
        tally.n_images / tally.seconds,
    )


def _compare(
    model: SavedModel,
    run: Runtime,
    familiarity: Familiarity | None,
    usable: Sequence[tuple[Path, Any, NDArray[np.uint8]]],
    tally: _Tally,
) -> None:
    recipe = model.base.recipe
    # What is black in a deep image is decided before an exported file gets its pixels.
    is_deep = (recipe.bits, recipe.black, recipe.white) != (None, None, None)
    images = [image if is_deep else file for file, _, image in usable]
    expected, familiar = model.assess(images, familiarity)
    answers = model.rule.answers(expected)
    for i, (file, label, image) in enumerate(usable):
        probabilities, answer = expected[i], answers[i]
        started = time.perf_counter()
        outputs = run(image[None])
        tally.seconds += time.perf_counter() - started
        (found,), (other,) = outputs[PROBABILITIES], answers_of(outputs)
        difference = float(np.abs(found - probabilities).max())
        if difference > LARGEST_DIFFERENCE and not is_deep:
            # The model decodes a large JPEG at a smaller scale.
            (of_pixels,), _ = model.assess([image])
            smaller = float(np.abs(found - of_pixels).max())
            tally.n_rescaled += int(smaller <= LARGEST_DIFFERENCE)
            difference = min(difference, smaller)
        if familiarity is not None:
            apart = abs(float(outputs[FAMILIARITY][0]) - float(familiar[i]))
            tally.of_familiarity = max(tally.of_familiarity or 0.0, apart)
        tally.n_images += 1
        tally.n_same += int(other == answer)
        tally.largest = max(tally.largest, difference)
        names = model.classes_[[answer, other]]
        if label is not None:
            tally.correct.append((names[1] == label, names[0] == label))
            tally.classes.add(label)
        words = (
            f"{printable(str(file))}: {names[0]} with {probabilities[answer]:.4f} by the model, "
            f"{names[1]} with {found[other]:.4f} by the export"
        )
        if other != answer and tally.other_class is None:
            tally.other_class = words
        if difference > LARGEST_DIFFERENCE and tally.other_probability is None:
            tally.other_probability = words
