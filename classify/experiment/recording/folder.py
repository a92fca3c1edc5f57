"""The folder of a run: created first, filled as classifiers finish, its record and page last."""

from __future__ import annotations

import contextlib
import itertools
import logging
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from cache import disk, locks
from classify.errors import ClassifierError, ModelError
from extract.errors import WeightsError
from extract.images.thumbnails import open_thumbnails
from reports import records, tables
from reports.evidence import EVIDENCE_NAME, write_evidence
from reports.listing import RUNS
from reports.pages import page
from reports.reading import read_record
from reports.records import FamiliarityFile
from toolkit.csv_cells import write_quarantine
from toolkit.phases import phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from classify.estimators.base import Classifier
    from classify.evaluation.unfamiliar.familiarity import Familiarity
    from classify.experiment.features import Features
    from reports.records import PictureRecord

logger = logging.getLogger(__name__)


LOCK_NAME = "run.lock"
"""In the folder while a run writes to it."""
_BEFORE_THE_RECORD = (
    tables.METRICS_NAME,
    tables.PREDICTIONS_NAME,
    tables.PICTURES_NAME,
    EVIDENCE_NAME,
    tables.QUARANTINE_NAME,
    tables.LEAKS_NAME,
    tables.COPIES_NAME,
    tables.GROUPS_NAME,
    tables.SUSPECTS_NAME,
    tables.OUTLIERS_NAME,
    tables.SHORTCUTS_NAME,
    tables.WEAK_SPOTS_NAME,
)
_MODEL_SUFFIXES = (".skops", ".npz")


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
    @contextlib.contextmanager
    def opened(cls, out: Path | None, name: str) -> Iterator[RunFolder]:
        """Create the folder of a run, and keep other runs out of it; remove it if it stays empty.

        Parameters
        ----------
        out : Path or None
            A new or empty folder, or that of a run that was stopped or killed. None is a new folder
            ``runs/<time>-<name>``.
        name : str
            The classifiers of the run, in a few words.

        Raises
        ------
        ClassifierError
            If the folder cannot be created, or is not empty.
        """
        path = _new_folder(name) if out is None else _given_folder(out)
        was_killed = (path / LOCK_NAME).exists()  # a run that ends in another way deletes its lock
        try:
            with locks.claimed(path / LOCK_NAME) as is_held:
                if not is_held:
                    raise ClassifierError(
                        f"another command is writing to {path}; wait until it has ended, or choose "
                        f"another folder (if none is running, delete {path / LOCK_NAME})",
                        setting="out",
                    )
                folder = cls(path)
                if was_killed and folder.discard():
                    logger.info(
                        "deleted what a killed run had left in %s: it had not written a record",
                        path,
                    )
                yield folder
        finally:
            with contextlib.suppress(OSError):
                path.rmdir()

    def stopped_run(self) -> records.Run | None:
        """Return the record of the stopped run in this folder, if there is one.

        Raises
        ------
        ClassifierError
            If there is something else.
        """
        if all(file.name == LOCK_NAME for file in self.path.iterdir()):
            return None
        if (self.path / records.RECORD_NAME).exists():
            run = read_record(self.path)
            if run.not_done:
                return run
            if not (self.path / page.REPORT_NAME).exists():
                raise ClassifierError(
                    f"{self.path} holds a finished run whose page was not written; write it with "
                    f"python -m reports {self.path}, or choose a new folder",
                    setting="out",
                )
        raise ClassifierError(
            f"{self.path} is not empty, and no file is overwritten; choose a new or empty folder",
            setting="out",
        )

    @phase("saving models")
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

    @phase("saving models")
    def save_familiarity(self, familiarity: Familiarity, backbone: str) -> FamiliarityFile:
        """Save what new images are compared with; return its record."""
        from classify import persistence

        name = re.sub(r"[^\w.@=+-]", "-", f"familiarity-{backbone}")
        file = persistence.save_familiarity(familiarity, self.path, name)
        return FamiliarityFile(file, disk.sha256(self.path / file), familiarity.n_samples_)

    @phase("saving models")
    def save_networks(self, features: Sequence[Features]) -> None:
        """Copy the quantised networks that the classifiers need into the folder.

        So the run does not need the cache that computed its embeddings. Where that cache was
        emptied meanwhile, a warning says that the run cannot predict.
        """
        networks = self.path / records.NETWORKS_NAME
        for of_base in features:
            for base in of_base.bases:
                try:
                    base.copy_network(networks)
                except WeightsError as error:
                    logger.warning("this run cannot predict new images: %s", error)

    def discard(self) -> bool:
        """Delete what a run wrote before its record; return whether there was any such file.

        Such files are of no use: only a record says on which data a model was trained. Nothing is
        deleted if there is anything else in the folder.

        Raises
        ------
        CacheError
            If a file cannot be deleted.
        """
        files = [file for file in self.path.iterdir() if file.name != LOCK_NAME]
        if not all(map(_is_of_a_run, files)):
            return False
        with disk.attempt(f"delete what a run left in {self.path}"):
            for file in files:
                if file.is_dir():
                    shutil.rmtree(file)
                else:
                    file.unlink()
        return bool(files)

    @phase("writing tables and record")
    def write(
        self,
        run: records.Run,
        predictions: Sequence[records.PredictionRow],
        evidence: Sequence[records.EvidenceRow],
        pictures: Sequence[PictureRecord],
    ) -> None:
        """Write the tables, then the record."""
        tables.write_metrics(run, self.path / tables.METRICS_NAME)
        tables.write_predictions(predictions, self.path / tables.PREDICTIONS_NAME)
        tables.write_pictures(pictures, self.path / tables.PICTURES_NAME)
        if evidence:
            write_evidence(evidence, self.path / EVIDENCE_NAME)
        if run.quarantine:
            write_quarantine(
                self.path / tables.QUARANTINE_NAME,
                ((item.path, item.reason) for item in run.quarantine),
            )
        if run.audit is not None:
            tables.write_audit(run.audit, self.path)
        self.write_record(run)

    @phase("writing the report")
    def write_page(
        self,
        run: records.Run,
        predictions: Sequence[records.PredictionRow],
        evidence: Sequence[records.EvidenceRow],
    ) -> None:
        """Write the page, which can be rendered again from the tables and the record."""
        page.write(
            run,
            predictions,
            self.path / page.REPORT_NAME,
            evidence=evidence,
            fetch=True,
            thumbnails=open_thumbnails,
        )

    def write_record(self, run: records.Run) -> None:
        """Write the record of the run, in place of an earlier one."""
        disk.publish(self.path / records.RECORD_NAME, run.to_json().encode("utf-8"))


def _is_of_a_run(file: Path) -> bool:
    """Return whether a run writes such a file before its record."""
    if file.is_symlink():
        return False
    if file.is_dir():
        return file.name == records.NETWORKS_NAME
    return (
        file.name in _BEFORE_THE_RECORD
        or file.suffix in _MODEL_SUFFIXES
        or file.name.startswith(disk.TEMPORARY)
    )


def _given_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(out, error) from error
    return out


def _new_folder(name: str) -> Path:
    """Create a folder whose name begins with the time."""
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    for again in itertools.count(2):
        path = RUNS / f"{moment}-{name}"
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            moment = f"{moment.split('.')[0]}.{again}"
        except OSError as error:
            raise _not_writable(RUNS, error) from error
        else:
            return path
    raise AssertionError("unreachable")


def _not_writable(folder: Path, error: OSError) -> ClassifierError:
    return ClassifierError(
        f"cannot write to {folder}: {error.strerror or error}; choose another folder", setting="out"
    )
