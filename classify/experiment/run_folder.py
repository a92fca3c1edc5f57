"""The folder of a run: created first, filled as classifiers finish, its record and page last."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cache import disk
from classify.errors import ClassifierError, ModelError
from extract.images.thumbnails import open_thumbnails
from reports import record, tables
from reports.listing import RUNS
from reports.pages import page
from toolkit.csv_cells import write_quarantine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from classify.estimators.base import Classifier
    from reports.picture_records import PictureRecord


@dataclass(frozen=True)
class RunFolder:
    """Where one run's files go.

    Parameters
    ----------
    path : Path
        An existing folder.
    """

    path: Path

    @classmethod
    def create(cls, out: Path | None, name: str) -> RunFolder:
        """Create the folder of a run.

        Parameters
        ----------
        out : Path or None
            A new or empty folder. None is a new folder ``runs/<time>-<name>``.
        name : str
            The classifiers of the run, in a few words.

        Raises
        ------
        ClassifierError
            If the folder cannot be created, or is not empty.
        """
        try:
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                if any(out.iterdir()):
                    raise ClassifierError(
                        f"{out} is not empty, and no file is overwritten; choose a new or empty "
                        "folder",
                        setting="out",
                    )
                return cls(out)
            moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
            for again in itertools.count(2):
                path = RUNS / f"{moment}-{name}"
                try:
                    path.mkdir(parents=True)
                except FileExistsError:
                    moment = f"{moment.split('.')[0]}.{again}"
                else:
                    return cls(path)
        except OSError as error:
            where = out or RUNS
            raise ClassifierError(
                f"cannot write to {where}: {error.strerror or error}; choose another folder",
                setting="out",
            ) from error
        raise AssertionError("unreachable")

    def save_model(self, estimator: Classifier, name: str) -> tuple[str, str]:
        """Save a trained classifier; return its file's name and the SHA-256 of its bytes.

        Raises
        ------
        ModelError
            If it contains types that `classify.persistence` does not load; no file is left then.
        """
        from classify import persistence

        file = persistence.save(estimator, self.path, name)
        try:
            persistence.check_types(self.path / file)
        except ModelError:
            (self.path / file).unlink()
            raise
        return file, disk.sha256(self.path / file)

    def write(
        self,
        run: record.Run,
        predictions: Sequence[record.PredictionRow],
        pictures: Sequence[PictureRecord],
    ) -> None:
        """Write the tables, the record, and the page, which can be rendered again from these."""
        tables.write_metrics(run, self.path / tables.METRICS_NAME)
        tables.write_predictions(predictions, self.path / tables.PREDICTIONS_NAME)
        tables.write_pictures(pictures, self.path / tables.PICTURES_NAME)
        if run.quarantine:
            write_quarantine(
                self.path / tables.QUARANTINE_NAME,
                ((item.path, item.reason) for item in run.quarantine),
            )
        if run.audit is not None:
            tables.write_audit(run.audit, self.path)
        disk.publish(self.path / record.RECORD_NAME, run.to_json().encode("utf-8"))
        page.write(
            run,
            predictions,
            self.path / page.REPORT_NAME,
            fetch=True,
            thumbnails=open_thumbnails,
        )

    def remove_if_empty(self) -> None:
        """Remove the folder of a run that came to nothing."""
        with contextlib.suppress(OSError):
            self.path.rmdir()
