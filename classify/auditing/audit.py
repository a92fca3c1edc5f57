"""`classify.audit`: the suspect labels, leaks, copies and outliers of a data set as data frames."""

from __future__ import annotations

import dataclasses
import html
import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from classify.auditing.embedding_findings import LEFT_OUT, GivenImages
from classify.auditing.findings import find_wrong_data
from classify.errors import ClassifierError
from classify.image_data import as_dataset, as_options, choose_progress
from extract.embedding_files.load import Embeddings
from extract.options import Options
from extract.prepare import prepare
from reports.copy_groups import groups_to_keep_together
from reports.frames import shortcuts_frame, weak_spots_frame
from reports.records import Copy, Leak, Outlier, Suspect
from toolkit.progress import Progress, as_progress
from toolkit.wording import plural, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from extract.datasets.dataset import Dataset
    from extract.embedder import Embedder
    from reports.records import Audit

logger = logging.getLogger(__name__)

ROWS_SHOWN = 5
"""Rows of each table that a notebook displays."""


class AuditResult:
    """What an audit has found, as pandas data frames.

    Paths are relative to the folder of the data set. The columns are those of the CSV files that
    ``python -m classify --audit`` writes.

    Parameters
    ----------
    audit : Audit
        The findings.
    name : str
        Name of the data set.
    n_images : int
        Number of images in it.

    Attributes
    ----------
    n_images : int
        Number of images in the data set.
    """

    def __init__(self, audit: Audit, name: str, n_images: int) -> None:
        self._audit, self._name, self.n_images = audit, name, n_images

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """Images whose label is doubtful, the most suspect first.

        Columns: `path`, `label`, `likely` (the class that a model predicts that has not seen the
        image), `probability` (that `label` is right, in [0, 1]), `split`, `probably wrong` (True
        for the first ones, as many as are wrong by the estimate), `label by image` and `likely by
        image` (the probabilities of both classes by the image alone: the others are listed because
        the second is larger).
        """
        names = {
            "wrong": "probably wrong",
            "label_by_image": "label by image",
            "likely_by_image": "likely by image",
        }
        frame = _frame(Suspect, self._audit.suspects).rename(columns=names)
        columns = ["path", "label", "likely", "probability", "split", *names.values()]
        return frame[columns]

    @cached_property
    def leaks(self) -> pd.DataFrame:
        """Test images that are also in the training split, as the same file or edited.

        Columns: `test` and `train` (the two paths), `cosine` (of the whitened embeddings; 1 for the
        same file), `exact` (whether it is the same file), `relation` (how the test image was made
        of the other, in words) and `inliers` (local features that are in the same places).
        """
        frame = _frame(Leak, self._audit.leaks)
        return frame[["test", "train", "cosine", "exact", "relation", "inliers"]]

    @cached_property
    def copies(self) -> pd.DataFrame:
        """Images that are copies of an earlier one, first those with two labels.

        Columns: `path`, `label`, `split`, `copy of` (the earlier path), `its label`, `its split`,
        `relation` and `inliers` (as in `leaks`).
        """
        frame = _frame(Copy, self._audit.copies)
        names = {"of": "copy of", "of_label": "its label", "of_split": "its split"}
        return frame.rename(columns=names)[
            ["path", "label", "split", *names.values(), "relation", "inliers"]
        ]

    @property
    def groups(self) -> pd.DataFrame:
        """Images that belong on one side of a split: copies, and those that seem to be a group.

        Columns: `path` and `group`. Groups that the data have are listed if copies add to them.
        """
        import pandas as pd

        groups = groups_to_keep_together(self._audit)
        return pd.DataFrame(list(groups.items()), columns=["path", "group"], dtype=object)

    @cached_property
    def outliers(self) -> pd.DataFrame:
        """Images that are unlike all others, nearly uniform, or tiny.

        Columns: `path`, `label`, `split` and `reason`. An image is listed once for each reason.
        """
        return _frame(Outlier, self._audit.outliers)[["path", "label", "split", "reason"]]

    @cached_property
    def shortcuts(self) -> pd.DataFrame:
        """Properties of the training images, first those that predict the label.

        See `reports.frames.shortcuts_frame` for the columns.
        """
        return shortcuts_frame(self._audit.shortcuts)

    @cached_property
    def weak_spots(self) -> pd.DataFrame:
        """Test images with something in common, first those that are often misclassified.

        By the model that the labels are judged by. See `reports.frames.weak_spots_frame` for the
        columns.
        """
        return weak_spots_frame(self._audit.weak_spots)

    def _counts(self) -> list[tuple[str, pd.DataFrame]]:
        shortcuts = self.shortcuts[self.shortcuts["found"]]
        weak_spots = self.weak_spots[self.weak_spots["found"]]
        return [
            (plural(len(self.suspects), "suspect label"), self.suspects),
            (plural(len(self.leaks), "leak"), self.leaks),
            (plural(len(self.copies), "copy", "copies"), self.copies),
            (plural(len(self.outliers), "outlier"), self.outliers),
            (plural(len(shortcuts), "shortcut"), shortcuts),
            (plural(len(weak_spots), "weak spot"), weak_spots),
        ]

    def __repr__(self) -> str:
        counts = ", ".join(count for count, _ in self._counts())
        images = plural(self.n_images, "image")
        return f"<AuditResult of {printable(self._name)}: {counts} in {images}>"

    def _repr_html_(self) -> str:
        parts = [
            f"<p><b>{html.escape(printable(self._name))}</b>: {plural(self.n_images, 'image')}</p>"
        ]
        for count, frame in self._counts():
            parts.append(f"<p><b>{count}</b></p>")
            if len(frame):
                rows = frame.head(ROWS_SHOWN).map(_shown)
                parts.append(rows.to_html(index=False, border=0, float_format="{:.3f}".format))
            if len(frame) > ROWS_SHOWN:
                parts.append(f"<p>and {len(frame) - ROWS_SHOWN:,} more</p>")
        return "\n".join(parts)


def audit(
    data: Any,
    embedder: Embedder | None = None,
    *,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> AuditResult:
    """Search a data set for wrong labels, leaks, copies, outliers, shortcuts and weak spots.

    Labels of the training split are judged without the test split, by models that leave the image
    out; those of the test split by a model of the training split.

    Parameters
    ----------
    data : Dataset, str, path, tuple of (paths, labels) or Embeddings
        Images with labels: a data set from `extract.load_dataset`, what that function takes, or
        image files with their labels. Or embeddings from `extract.load_embeddings`, without an
        embedder; then what needs the pixels is left out.
    embedder : Embedder, default=None
        What turns images into embeddings; None is an `extract.Embedder` with its defaults.
        Embeddings that are in its cache are not computed again.
    seed : int, default=0
        Seed of the test split, if the data have none, and of the tests of shortcuts.
    progress : bool or Progress, default=None
        True shows a progress bar, False shows nothing. A callback is called with the stage and the
        units done and in total. None does what the embedder's own parameter `progress` says.

    Returns
    -------
    AuditResult
        With the data frames `suspects`, `leaks`, `copies`, `outliers`, `shortcuts` and
        `weak_spots`.

    Raises
    ------
    ClassifierError
        If the data have fewer than two classes, or are not images with labels.
    ToolkitError
        If the data, the weights or the cache cannot be used.

    See Also
    --------
    classify.compare : Train and compare classifiers on the same data.

    Notes
    -----
    How many labels are wrong, and which, is estimated with a noise matrix as in confident learning
    [1]_, see `classify.auditing.label_errors`; near-duplicates are found by the cosine of whitened
    embeddings; outliers by their distance to the five nearest images.

    References
    ----------
    .. [1] C. Northcutt, L. Jiang and I. Chuang, Confident Learning: Estimating Uncertainty in
       Dataset Labels, JAIR 2021.

    Examples
    --------
    >>> from classify import audit
    >>> from extract import Embedder, load_dataset
    >>> found = audit(load_dataset("my-pictures"), Embedder("vgg16"))  # doctest: +SKIP
    >>> found.suspects.head()  # doctest: +SKIP
    """
    if isinstance(data, Embeddings):
        return _audit_embeddings(data, embedder, seed, progress)
    options = as_options(embedder, seed=seed)
    with as_progress(choose_progress(progress, embedder)) as report:
        dataset = as_dataset(data, options, report)
        _require_classes(dataset)
        prepared = prepare(dataset, options, report)
        findings = find_wrong_data(prepared, seed=seed, reading=options.reading, progress=report)
    return AuditResult(findings, dataset.name, len(prepared.dataset))


def _require_classes(dataset: Dataset) -> None:
    if len(dataset.classes) < 2:
        raise ClassifierError(
            f"an audit needs at least two classes, found only {dataset.classes[0]!r}; add images "
            "of another class"
        )


def _audit_embeddings(
    data: Embeddings, embedder: Embedder | None, seed: int, progress: bool | Progress | None
) -> AuditResult:
    if embedder is not None:
        raise ClassifierError("the data are embeddings, which need no embedder: leave it out")
    _require_classes(data.dataset)
    logger.warning("%s", LEFT_OUT)
    given = GivenImages(data.with_split(Options.test_size, seed))
    with as_progress(choose_progress(progress, None)) as report:
        findings = given.find_wrong_data(seed=seed, progress=report)
    return AuditResult(findings, given.dataset.name, len(given.dataset))


def _frame(kind: type, rows: Sequence[Any]) -> pd.DataFrame:
    import pandas as pd

    columns = [field.name for field in dataclasses.fields(kind) if field.name != "drawing"]
    values = [[getattr(row, column) for column in columns] for row in rows]
    frame = pd.DataFrame(values, columns=columns, dtype=object)
    # Text stays objects, because pandas' own type may not hold names that are not UTF-8.
    numbers = [
        name for name in columns if len(frame) and not any(isinstance(x, str) for x in frame[name])
    ]
    return frame.astype({name: type(frame[name].iloc[0]) for name in numbers})


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value
