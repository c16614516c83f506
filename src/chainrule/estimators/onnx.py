"""An estimator as an ONNX model."""

# onnx has no complete types, and an estimator's parameters are what its user made them.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportMissingImports=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from chainrule import __version__
from chainrule.networks.activations import SELU_ALPHA, SELU_SCALE
from chainrule.networks.choices import Choice
from chainrule.training.files import written_whole

__all__ = ["to_onnx"]

_OPSET = 20
_OPERATORS = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "exponential": "Exp",
    "identity": "Identity",
}
"""The activations that are one operator each, in both precisions."""


def to_onnx(model: Any, path: str | Path | None = None) -> Any:
    """The network of a fitted estimator as an ``onnx.ModelProto``, written to ``path`` if given.

    Raises ImportError where onnx is not installed, and ValueError for an activation of the user's
    own, or classes that ONNX has no type for.
    """
    try:
        import onnx
    except ImportError:
        raise ImportError(
            "to_onnx needs onnx, which is not installed: pip install 'chainrule[onnx]'"
        ) from None

    check_is_fitted(model)
    built = _Builder(model, onnx).built()
    onnx.checker.check_model(built)
    if path is not None:
        with written_whole(Path(path)) as temporary:
            temporary.write_bytes(built.SerializeToString())
    return built


class _Builder:
    """The nodes of one model, added in order."""

    def __init__(self, model: Any, onnx: Any) -> None:
        self.model, self.onnx = model, onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.kind = onnx.helper.np_dtype_to_tensor_dtype(model.coefs_[0].dtype)

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        """Add a constant; its name."""
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def _outputs(self, last: str) -> list[Any]:
        """Add what comes after the network; the outputs."""
        make = self.onnx.helper.make_tensor_value_info
        if not hasattr(self.model, "classes_"):
            self.node("Identity", [last], "variable")
            return [make("variable", self.kind, ["n", self.model.n_outputs_])]
        return self._labels(last, make)

    def _labels(self, last: str, make: Any) -> list[Any]:
        """The predicted class, and the probabilities where there are such."""
        model, integers = self.model, self.onnx.TensorProto.INT64
        proba = hasattr(model, "predict_proba")
        binary = model.n_outputs_ == 1
        if not binary and model.out_activation_ != "softmax":  # several labels
            self._above(last, "label")
            outputs = [make("label", integers, ["n", model.n_outputs_])]
        else:
            if binary:
                index = self.node("Squeeze", [self._above(last, "above"), self._axis()], "index")
            else:
                index = self.node("ArgMax", [last], "index", axis=1, keepdims=0)
            classes = _plain_classes(model.classes_)
            self.node("Gather", [self.constant("classes", classes), index], "label")
            strings = classes.dtype.kind in "OU"
            kind = self.onnx.TensorProto.STRING if strings else integers
            if classes.dtype.kind == "f":
                kind = self.onnx.TensorProto.DOUBLE
            outputs = [make("label", kind, ["n"])]
        if proba:
            columns = 2 if binary else model.n_outputs_
            outputs.append(make("probabilities", self.kind, ["n", columns]))
            self._probabilities(last, binary=binary)
        return outputs

    def _axis(self) -> str:
        return self.constant("axis", np.array([1], np.int64))

    def _above(self, last: str, name: str) -> str:
        """1 where an output is above the threshold, else 0."""
        dtype = self.model.coefs_[0].dtype
        threshold = self.constant("threshold", np.array(self.model._threshold, dtype))
        above = self.node("Greater", [last, threshold], f"{name}_bits")
        return self.node("Cast", [above], name, to=self.onnx.TensorProto.INT64)

    def _probabilities(self, last: str, *, binary: bool) -> None:
        if not binary:
            self.node("Identity", [last], "probabilities")
            return
        one = self.constant("one", np.array(1, self.model.coefs_[0].dtype))
        other = self.node("Sub", [one, last], "other")
        self.node("Concat", [other, last], "probabilities", axis=1)

    def activation(self, choice: Choice, z: str, name: str) -> str:
        """Add an activation; the name of its output.

        ONNX has operators for more of them, but runtimes only in single precision; so those are
        written with operators that there are in both.
        """
        if not choice.own and choice.name in _OPERATORS:
            return self.node(_OPERATORS[choice.name], [z], name)
        if not choice.own and choice.name == "softmax":
            return self.node("Softmax", [z], name, axis=1)
        make = None if choice.own else getattr(self, f"_{choice.name}", None)
        if make is None:
            raise ValueError(
                f"The activation {choice.name} is a function of your own, which ONNX has no "
                "operator for. Use one of chainrule's names for it."
            )
        made: str = make(z, name, **choice.settings)
        return made

    def _scalar(self, value: float, name: str) -> str:
        return self.constant(name, np.array(value, self.model.coefs_[0].dtype))

    def _choose(self, z: str, negative: str, name: str) -> str:
        """Z where it is above 0, else another value."""
        above = self.node("Greater", [z, self._scalar(0, f"{name}_zero")], f"{name}_above")
        return self.node("Where", [above, z, negative], name)

    def _leaky_relu(self, z: str, name: str, slope: float = 0.01) -> str:
        low = self.node("Mul", [z, self._scalar(slope, f"{name}_slope")], f"{name}_low")
        return self._choose(z, low, name)

    def _elu(self, z: str, name: str, alpha: float = 1.0) -> str:
        low = self.node("Min", [z, self._scalar(0, f"{name}_top")], f"{name}_min")
        power = self.node("Exp", [low], f"{name}_exp")
        less = self.node("Sub", [power, self._scalar(1, f"{name}_one")], f"{name}_less")
        scaled = self.node("Mul", [less, self._scalar(alpha, f"{name}_alpha")], f"{name}_scaled")
        return self._choose(z, scaled, name)

    def _selu(self, z: str, name: str) -> str:
        inner = self._elu(z, f"{name}_elu", SELU_ALPHA)
        return self.node("Mul", [inner, self._scalar(SELU_SCALE, f"{name}_scale")], name)

    def _silu(self, z: str, name: str) -> str:
        return self.node("Mul", [z, self.node("Sigmoid", [z], f"{name}_gate")], name)

    def _softplus(self, z: str, name: str) -> str:
        minus = self.node("Neg", [self.node("Abs", [z], f"{name}_abs")], f"{name}_minus")
        power = self.node("Exp", [minus], f"{name}_exp")
        more = self.node("Add", [power, self._scalar(1, f"{name}_one")], f"{name}_more")
        tail = self.node("Log", [more], f"{name}_log")
        return self.node("Add", [self.node("Relu", [z], f"{name}_relu"), tail], name)

    def _gelu(self, z: str, name: str) -> str:
        """Z Φ(z), where Φ is in single precision: no runtime has the error function in double."""
        single = self.onnx.TensorProto.FLOAT
        scaled = self.node("Mul", [z, self._scalar(0.5**0.5, f"{name}_root")], f"{name}_scaled")
        cast = self.node("Cast", [scaled], f"{name}_single", to=single)
        erf = self.node("Erf", [cast], f"{name}_erf")
        back = self.node("Cast", [erf], f"{name}_back", to=self.kind)
        more = self.node("Add", [back, self._scalar(1, f"{name}_one")], f"{name}_more")
        half = self.node("Mul", [z, self._scalar(0.5, f"{name}_half")], f"{name}_z")
        return self.node("Mul", [half, more], name)

    def built(self) -> Any:
        """The whole model."""
        helper, model = self.onnx.helper, self.model
        given = helper.make_tensor_value_info("X", self.kind, ["n", model.n_features_in_])
        formulation = model._formulation()
        last = "X"
        layers = [*formulation.hidden, formulation.output]
        rows = zip(model.coefs_, model.intercepts_, layers, strict=True)
        for i, (W, b, choice) in enumerate(rows, start=1):
            product = self.node("MatMul", [last, self.constant(f"W{i}", W)], f"product{i}")
            z = self.node("Add", [product, self.constant(f"b{i}", b)], f"z{i}")
            last = self.activation(choice, z, f"a{i}")
        outputs = self._outputs(last)
        graph = helper.make_graph(
            self.nodes, type(model).__name__, [given], outputs, initializer=self.constants
        )
        return helper.make_model(
            graph,
            producer_name="chainrule",
            producer_version=__version__,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=9,
        )


def _plain_classes(classes: Any) -> Any:
    """Classes as ONNX holds them: whole numbers, floats or texts."""
    array = np.asarray(classes)
    if array.dtype.kind in "biu":
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    if all(isinstance(each, str) for each in array.tolist()):
        return array.astype(object)
    raise ValueError(
        f"ONNX has no type for the classes {array}: use numbers alone, or texts alone."
    )
