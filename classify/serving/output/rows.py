"""A prediction as a line, as the cells of a table, and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolkit.csv_cells import encode_text
from toolkit.wording import printable

if TYPE_CHECKING:
    from classify.serving.prediction import Prediction

COLUMNS = ("path", "class", "probability", "undecided", "problem", "familiarity")


@dataclass(frozen=True)
class RowFormat:
    """What is said of each prediction.

    Parameters
    ----------
    refused : bool, default=False
        Whether it is said which images are refused.
    top : int, default=0
        How many of the most probable classes are listed.

    Examples
    --------
    >>> RowFormat(top=2).columns[-4:]
    ('class_1', 'probability_1', 'class_2', 'probability_2')
    """

    refused: bool = False
    top: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the table."""
        ranks = range(1, self.top + 1)
        listed = [name for rank in ranks for name in (f"class_{rank}", f"probability_{rank}")]
        return (*COLUMNS, *(["refused"] if self.refused else []), *listed)

    def cells(self, prediction: Prediction) -> list[str]:
        """Return the cells of a row, encoded for CSV."""
        cells = [
            str(prediction.path),
            prediction.label or "",
            _number(prediction.probability),
            _yes(prediction.undecided),
            prediction.reason or "",
            _number(prediction.familiarity),
        ]
        if self.refused:
            cells.append(_yes(prediction.refused))
        for rank in range(self.top):
            has_one = rank < len(prediction.top)
            label, probability = prediction.top[rank] if has_one else ("", None)
            cells += [label, _number(probability)]
        return [encode_text(cell) for cell in cells]

    def fields(self, prediction: Prediction) -> dict[str, Any]:
        """Return what is said in JSON."""
        fields: dict[str, Any] = {
            "path": str(prediction.path),
            "class": prediction.label,
            "probability": prediction.probability,
            "undecided": prediction.undecided,
            "problem": prediction.reason,
            "familiarity": prediction.familiarity,
        }
        if self.refused:
            fields["refused"] = prediction.refused
        if self.top:
            fields["top"] = [
                {"class": label, "probability": probability}
                for label, probability in prediction.top[: self.top]
            ]
        return fields

    def line(self, prediction: Prediction) -> str:
        """Return what is said in one printable line."""
        name = printable(str(prediction.path))
        if prediction.reason is not None:
            return f"{name}  cannot be used as an image: {printable(prediction.reason)}"
        label = printable(str(prediction.label))
        line = f"{name}  {label}  {prediction.probability:.3f}"
        if prediction.refused:
            line += (
                "  refused: unlike anything it was trained on "
                f"(familiarity {prediction.familiarity:.3f})"
            )
        elif prediction.undecided:
            line += "  undecided: below the run's threshold"
        if self.top:
            listed = prediction.top[: self.top]
            line += "  " + ", ".join(f"{printable(name)} {share:.3f}" for name, share in listed)
        return line


def _number(number: float | None) -> str:
    return "" if number is None else repr(number)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else ""
