"""A classifier of scikit-learn in ONNX, converted by skl2onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classify.errors import ModelError
from classify.exporting.network import FEATURES, RAW
from classify.exporting.onnx.graph import IR_VERSION, OPSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from classify.estimators.wrapped import WrappedClassifier

ML_OPSET = 3


def convert(wrapped: WrappedClassifier) -> Any:
    """Return a trained classifier as an `onnx.ModelProto` from `FEATURES` to `RAW`.

    Parameters
    ----------
    wrapped : WrappedClassifier
        Its scale is not part of the result.

    Raises
    ------
    ModelError
        If skl2onnx is not installed or cannot convert the classifier.
    """
    from onnx import compose

    name = type(wrapped.estimator_).__name__
    if not hasattr(wrapped.estimator_, "predict_proba"):
        raise ModelError(
            f"{name} has no probabilities of its own, and cannot be exported; train it within "
            "sklearn.calibration:CalibratedClassifierCV",
            setting="clf",
        )
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise ModelError(
            "to export a classifier of scikit-learn needs an extra that is not installed "
            "(skl2onnx); pip install 'frozen-features[export]', or in a checkout pip install "
            "'.[export]'"
        ) from error
    taken = FloatTensorType([None, wrapped.n_features_in_])
    try:
        proto = convert_sklearn(
            wrapped.estimator_,
            initial_types=[(FEATURES, taken)],
            options={"zipmap": False},
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET},
        )
    except Exception as error:  # skl2onnx raises several kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"skl2onnx cannot convert {name} ({reason}); choose another classifier", setting="clf"
        ) from error
    proto.ir_version = IR_VERSION
    _label, probabilities = (output.name for output in proto.graph.output)
    del proto.graph.output[0]
    renamed: Any = compose.add_prefix(proto, "classifier_", rename_inputs=False)
    for node in renamed.graph.node:
        node.output[:] = [RAW if n == f"classifier_{probabilities}" else n for n in node.output]
        node.input[:] = [RAW if n == f"classifier_{probabilities}" else n for n in node.input]
    renamed.graph.output[0].name = RAW
    return renamed


def joined(parts: Sequence[Any]) -> Any:
    """Return consecutive networks as one; each takes outputs of those before by their names."""
    from onnx import compose

    whole, *others = parts
    for i, part in enumerate(others):
        part = compose.add_prefix(part, f"part{i}_", rename_inputs=False, rename_outputs=False)
        given = [value.name for value in part.graph.input]
        kept = [value.name for value in whole.graph.output if value.name not in given]
        whole = compose.merge_models(
            whole,
            part,
            io_map=[(name, name) for name in given],
            outputs=[*kept, *(value.name for value in part.graph.output)],
        )
    return whole
