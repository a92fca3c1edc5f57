"""A run with its tables as data frames, for notebooks and programs."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from reports.ranking import best_in_validation, ranked
from reports.reading import read_record

if TYPE_CHECKING:
    import pandas as pd

    from reports.records import PredictionRow, Run

logger = logging.getLogger(__name__)


class RunResults:
    """The results of a run, read from its folder.

    In a notebook it is displayed as one sentence and a table.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that `classify.compare` or ``python -m classify`` wrote.

    Attributes
    ----------
    folder : pathlib.Path
        The run's folder.
    record : reports.records.Run
        Everything that the run recorded, as plain dataclasses.

    Raises
    ------
    RecordError
        If the folder holds no readable record of a run.

    See Also
    --------
    reports.read_run : Read the results of an earlier run.

    Examples
    --------
    >>> run = RunResults("runs/20260131-120000-all")  # doctest: +SKIP
    >>> run.results[["classifier", "accuracy"]]  # doctest: +SKIP
    >>> run.predictions.query("true != predicted")  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.record: Run = read_record(self.folder)

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row per classifier; see `reports.frames.results_frame` for the columns."""
        from reports.frames import results_frame

        return results_frame(self.record)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per classifier and test image; see `reports.frames.predictions_frame`.

        Raises
        ------
        RecordError
            If `predictions.csv` cannot be read.
        """
        from reports.frames import predictions_frame

        return predictions_frame(self._prediction_rows())

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """One row per pair of classifiers; see `reports.frames.comparisons_frame`."""
        from reports.frames import comparisons_frame

        return comparisons_frame(self.record)

    @cached_property
    def learning_curves(self) -> pd.DataFrame:
        """One row per classifier, size and draw; see `reports.frames.learning_curves_frame`."""
        from reports.frames import learning_curves_frame

        return learning_curves_frame(self.record)

    @cached_property
    def shortcuts(self) -> pd.DataFrame:
        """Properties of the images that were tested; see `reports.frames.shortcuts_frame`.

        With an audit, all of them; else those found among what is known without decoding.
        """
        from reports.frames import shortcuts_frame

        audit = self.record.audit
        return shortcuts_frame(self.record.shortcuts if audit is None else audit.shortcuts)

    @cached_property
    def weak_spots(self) -> pd.DataFrame:
        """Groups of test images, the weak ones first; see `reports.frames.weak_spots_frame`.

        Empty without an audit.
        """
        from reports.frames import weak_spots_frame

        return weak_spots_frame(self.record.audit.weak_spots if self.record.audit else [])

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """Where in test images the evidence lies; see `reports.frames.evidence_frame`.

        Raises
        ------
        RecordError
            If `evidence.csv` cannot be read.
        """
        from reports.evidence import read_evidence
        from reports.frames import evidence_frame

        return evidence_frame(read_evidence(self.folder))

    @property
    def best(self) -> str | None:
        """Name of the classifier that did best in validation on the training split.

        This is the one that `classify.load_model` loads unless another is named. The test split
        plays no part in the choice, so its accuracy in `results` remains an honest estimate. None
        if no classifier was trained.
        """
        return best_in_validation(self.record).classifier if self.record.results else None

    def report(self) -> Path:
        """Return the path of the run's HTML page, which is written if it does not exist.

        Returns
        -------
        pathlib.Path
            `report.html` in the run's folder: one file that needs neither a server nor a network.

        Raises
        ------
        RecordError
            If the page cannot be written.
        """
        from reports.evidence import read_evidence
        from reports.pages import page

        path = self.folder / page.REPORT_NAME
        if not path.is_file():
            rows = self._prediction_rows()
            page.write(self.record, rows, path, evidence=read_evidence(self.folder))
        return path

    def _prediction_rows(self) -> list[PredictionRow]:
        from reports.tables import PREDICTIONS_NAME, read_predictions

        path = self.folder / PREDICTIONS_NAME
        if not path.exists():
            logger.info("%s does not exist: the predictions of this run are unknown", path)
            return []
        return read_predictions(path)

    def __repr__(self) -> str:
        from reports.tables import format_results
        from reports.wording.findings import stopped_sentence, unused_files_sentence
        from reports.wording.headline import headline
        from toolkit.wording import printable

        answer = headline(self.record, ranked(self.record))
        lines = [f"Run of {self.record.data.name} in {self.folder}"]
        if answer:
            lines += [answer.sentence]
        if self.record.not_done:
            lines += [stopped_sentence(self.record)]
        if self.record.quarantine:
            lines += [unused_files_sentence(self.record)]
        return "\n".join([*map(printable, lines), "", format_results(self.record)])

    def _repr_html_(self) -> str:
        from reports.pages.summary import render_summary

        return render_summary(self.record, self.folder)


def read_run(folder: str | Path) -> RunResults:
    """Read the results of an earlier run.

    Parameters
    ----------
    folder : str or pathlib.Path
        A folder that `classify.compare` or ``python -m classify`` wrote.

    Returns
    -------
    RunResults
        With `results`, `predictions`, `comparisons` and `learning_curves` as pandas data frames,
        `best`, and `report()`.

    Raises
    ------
    RecordError
        If the folder holds no readable record of a run.

    Examples
    --------
    >>> from reports import read_run
    >>> run = read_run("runs/20260131-120000-all")  # doctest: +SKIP
    >>> run.results.sort_values("accuracy", ascending=False)  # doctest: +SKIP
    """
    return RunResults(folder)
