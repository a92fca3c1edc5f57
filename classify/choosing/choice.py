"""The choice among frozen bases: the most accurate one that the time allows."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from cache.location import cache_folder
from cache.store import Store
from classify.choosing.arguments import IMAGES
from classify.choosing.judging import Judgement, judge
from classify.choosing.sample import draw_sample
from classify.errors import ClassifierError
from classify.estimators.groups import encode_groups
from classify.evaluation.comparison import compare_predictions
from extract.backbones.catalog import is_hub
from extract.datasets.labels import require_images
from extract.errors import EngineError, RecipeError, WeightsError
from extract.frozen import FrozenBase
from extract.images.hashing import hash_images
from reports import records
from reports.wording.text import duration
from toolkit.phases import phase
from toolkit.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from extract.datasets.dataset import Dataset
    from extract.options import Options
    from toolkit.progress import Progress

SIGNIFICANT = 0.05

logger = logging.getLogger(__name__)


@phase("choosing a backbone")
def choose_backbone(
    dataset: Dataset,
    candidates: Sequence[Options],
    *,
    n_images: int = IMAGES,
    budget: float | None = None,
    skip_missing: bool = False,
    progress: Progress,
) -> tuple[Options, Dataset, records.BackboneChoice]:
    """Choose the frozen base whose embeddings a classifier separates best, within a time.

    Every candidate embeds a stratified sample of the training images, and logistic regression is
    judged on them by cross-validation, in which groups stay together. The test images are not
    touched. What was computed stays in the cache.

    Parameters
    ----------
    dataset : Dataset
    candidates : sequence of Options
        One for each base.
    n_images : int, default=600
        Training images in the sample; more, if these would be fewer than ten of each class.
    budget : float, optional
        Most seconds that computing the missing embeddings of all images may take, by the rate
        on the sample. By default there is no limit.
    skip_missing : bool, default=False
        Whether a candidate without weights is left out instead of an error.
    progress : Progress

    Returns
    -------
    options : Options
        Of the chosen base.
    dataset : Dataset
        With the split whose training images were looked at. One that is drawn again, when it is
        known which images are usable, could have some of them for the test.
    choice : reports.records.BackboneChoice

    Raises
    ------
    ToolkitError
        If weights or the cache cannot be used, or no candidate fits into the budget.
    """
    require_images(dataset)
    first = candidates[0]
    store = Store(cache_folder(first.base.cache))
    paths = [item.path for item in dataset.items]
    digests, _ = hash_images(paths, store, reading=first.reading, progress=progress)
    dataset = _with_split(dataset, digests, first)
    readable = dataclasses.replace(
        dataset, items=tuple(item for item in dataset.items if item.path in digests)
    )
    sample = draw_sample(readable, digests, n_images, first.seed)
    bases, left_out = _bases(candidates, skip_missing, progress)
    judgements: dict[int, Judgement] = {}
    for i, base in bases.items():
        name = candidates[i].base.backbone
        try:
            judgements[i] = judge(base, candidates[i], readable, sample, digests, progress)
        except ClassifierError as error:
            raise ClassifierError(f"{name}: {error}", setting="backbone") from error
        logger.info(
            "%s: accuracy %.3f on %s in cross-validation",
            name,
            judgements[i].base.accuracy,
            plural(len(judgements[i].correct), "training image"),
        )
    chosen = _chosen(judgements, budget)
    found = list(judgements.values())
    choice = records.BackboneChoice(
        chosen=judgements[chosen].base.backbone,
        images=min(len(one.correct) for one in found),
        judged=_compared(found, judgements[chosen], sample),
        budget=budget,
        most_frequent=_most_frequent(sample),
        left_out=left_out,
    )
    return candidates[chosen], dataset, choice


def _most_frequent(sample: Dataset) -> float:
    counts = Counter(item.label for item in sample.items)
    return max(counts.values()) / counts.total()


def _bases(
    candidates: Sequence[Options], skip_missing: bool, progress: Progress
) -> tuple[dict[int, FrozenBase], dict[str, str]]:
    """Find the weights of all candidates before anything is computed.

    Returns
    -------
    bases : dict of int to FrozenBase
        By the position of the candidate.
    left_out : dict of str to str
        The other candidates, each with the reason.

    Raises
    ------
    WeightsError
        If there are none for a candidate that may not be left out, or for none at all.
    """
    bases: dict[int, FrozenBase] = {}
    left_out: dict[str, str] = {}
    for i, options in enumerate(candidates):
        name = options.base.backbone
        try:
            bases[i] = FrozenBase.choose(options.base, progress=progress)
        except (EngineError, RecipeError) as error:
            if not (skip_missing and is_hub(name)):
                raise
            left_out[name] = str(error)
        except WeightsError as error:
            if not skip_missing:
                raise WeightsError(f"{name}: {error}", setting=error.setting) from error
            left_out[name] = str(error.__cause__ or error)
    if not bases:
        raise WeightsError("there are no weights for any backbone", setting="backbone")
    return bases, left_out


def _with_split(dataset: Dataset, digests: Mapping[Path, str], options: Options) -> Dataset:
    """Draw the split of the images that can be read; the others are found unusable later."""
    if dataset.has_split:
        return dataset
    readable = [item for item in dataset.items if item.path in digests]
    split = dataclasses.replace(dataset, items=tuple(readable)).with_hashed_split(
        [digests[item.path] for item in readable], options.test_size, options.seed
    )
    known = {item.path: item for item in split.items}
    items = (
        known.get(item.path, dataclasses.replace(item, split="train")) for item in dataset.items
    )
    return dataclasses.replace(split, items=tuple(items))


def _chosen(judgements: dict[int, Judgement], budget: float | None) -> int:
    """Return the most accurate candidate that fits into the budget.

    Raises
    ------
    ClassifierError
        If none does.
    """
    bases = {i: judgement.base for i, judgement in judgements.items()}
    fitting = [
        i
        for i, base in bases.items()
        if budget is None or (base.seconds is not None and base.seconds <= budget)
    ]
    if not fitting:
        known = [base for base in bases.values() if base.seconds is not None]
        fastest = min(known, key=lambda base: base.seconds or 0.0, default=None)
        hint = (
            ""
            if fastest is None
            else f": the fastest, {fastest.backbone}, needs {duration(fastest.seconds or 0.0)}"
        )
        raise ClassifierError(
            f"no backbone embeds the images that are left within {duration(budget or 0.0)}{hint}; "
            "the sample's embeddings are kept in the cache",
            setting="budget",
        )
    return min(fitting, key=lambda i: (-bases[i].accuracy, bases[i].log_loss))


def _compared(
    judgements: Sequence[Judgement], chosen: Judgement, sample: Dataset
) -> list[records.JudgedBackbone]:
    """Note which candidates the sample cannot tell from the chosen one."""
    common = set.intersection(*(set(judgement.correct) for judgement in judgements))
    items = [item for item in sample.items if item.path in common]
    right = {
        judgement.base.backbone: [judgement.correct[item.path] for item in items]
        for judgement in judgements
    }
    groups = encode_groups([item.group for item in items], len(items))
    pairs = compare_predictions(np.full(len(items), True), right, groups)
    name = chosen.base.backbone
    equal = {
        pair.first if pair.second == name else pair.second
        for pair in pairs
        if name in (pair.first, pair.second) and pair.p_adjusted >= SIGNIFICANT
    }
    return [
        dataclasses.replace(judgement.base, as_good=judgement.base.backbone in equal)
        for judgement in judgements
    ]
