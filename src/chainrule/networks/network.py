"""The feed-forward network: settings, parameters, prediction and loss, in plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from chainrule.errors import SettingError
from chainrule.networks.activations import activation as choose_activation
from chainrule.networks.choices import FRACTION, NONNEGATIVE, Choice, check_setting, unknown
from chainrule.networks.initializers import Random
from chainrule.networks.initializers import initializer as choose_initializer
from chainrule.networks.inputs import (
    check_inputs,
    check_masks,
    check_parameters,
    check_targets,
    check_values,
    check_weight,
)
from chainrule.networks.losses import Loss, match_dtype
from chainrule.networks.losses import loss as choose_loss
from chainrule.networks.own import check_activated, check_takes_weight, check_total
from chainrule.networks.settings import (
    check_sizes,
    check_together,
    per_layer,
    plain_setting,
    random_from,
)
from chainrule.tracer import named

__all__ = ["Network"]

_DEFAULTS: dict[str, Any] = {
    "activation": "tanh",
    "output": None,
    "loss": "squared_error",
    "initializer": "glorot",
    "l1": 0.0,
    "l2": 0.0,
    "dropout": 0.0,
}


class Network:
    """A fully connected feed-forward network.

    For an input ``X`` of shape ``(n, sizes[0])``, with ``a0 = X`` and layers ``i = 1, 2, …``:

        zi = a(i-1) @ Wi + bi        ai = activation(zi)

    ``Wi`` has shape ``(sizes[i-1], sizes[i])`` and ``bi`` shape ``(1, sizes[i])``; the parameters
    are the dict ``{"W1", "b1", "W2", …}``. Everything that computes is a pure function of its
    arguments, written in NumPy.

    sizes        the widths of the input, the hidden layers and the output: ``[2, 2, 1]``
    activation   of the hidden layers: a name, a NumPy function, or a list with one per layer
    output       the last layer's activation; by default the one that goes with the loss
    loss         a name, a `Loss`, or a NumPy function ``(output, target) -> scalar``
    initializer  a name, or a function ``(rng, fan_in, fan_out) -> W``
    l1, l2       add ``l1 Σ|W| + ½ l2 ΣW²``, over weights and not biases, to the loss;
                 scikit-learn's ``alpha`` is ``l2 = alpha / n``
    dropout      the share of hidden units dropped in training: a number, or one per hidden layer

    A network does not change: its settings are read as attributes (the loss as `criterion`).

    >>> network = Network([2, 3, 1], activation="relu", loss="binary_cross_entropy")
    >>> network
    Network([2, 3, 1], activation='relu', loss='binary_cross_entropy')
    >>> network.parameter_shapes
    {'W1': (2, 3), 'b1': (1, 3), 'W2': (3, 1), 'b2': (1, 1)}
    >>> parameters = network.initialize(0)
    >>> network.predict(parameters, np.zeros((4, 2))).tolist()
    [[0.5], [0.5], [0.5], [0.5]]

    Raises SettingError where a setting cannot be used, alone or beside the others.
    """

    sizes: tuple[int, ...]
    activation: Any
    output: Any
    criterion: Loss
    initializer: Any
    l1: float
    l2: float
    dropout: Any
    layers: tuple[Choice, ...]
    """The activation of each layer, the output's last."""
    rates: tuple[float, ...]
    """The dropout rate of each hidden layer."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Any = "tanh",
        output: Any = None,
        loss: Any = "squared_error",
        initializer: Any = "glorot",
        l1: float = 0.0,
        l2: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
    ) -> None:
        check_setting("l1", l1, NONNEGATIVE)
        check_setting("l2", l2, NONNEGATIVE)
        widths = check_sizes(sizes)
        criterion = choose_loss(loss)
        hidden = per_layer("activation", activation, len(widths) - 2)
        last = choose_activation(criterion.output if output is None else output, "output")
        rates = tuple(per_layer("dropout", dropout, len(widths) - 2))
        for rate in rates:
            check_setting("dropout", rate, FRACTION)
        layers = (*(choose_activation(value) for value in hidden), last)
        check_together(widths, layers, criterion)
        self._settings = {
            "activation": activation,
            "output": output,
            "loss": loss,
            "initializer": initializer,
            "l1": l1,
            "l2": l2,
            "dropout": dropout,
        }
        self.sizes, self.activation, self.output = widths, activation, output
        self.initializer, self.l1, self.l2, self.dropout = initializer, l1, l2, dropout
        self.criterion, self.layers, self.rates = criterion, layers, rates
        self._initializer = choose_initializer(initializer)
        self._fixed = True

    def __setattr__(self, name: str, value: object) -> None:
        if getattr(self, "_fixed", False):
            raise AttributeError(
                f"A Network does not change, so {name} cannot be set; make another one."
            )
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        changed = [
            f"{name}={value!r}"
            for name, value in self._settings.items()
            if value is not _DEFAULTS[name] and value != _DEFAULTS[name]
        ]
        return f"Network({', '.join([repr(list(self.sizes)), *changed])})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        return self.sizes == other.sizes and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(repr(self))

    @property
    def depth(self) -> int:
        """The number of layers with parameters."""
        return len(self.sizes) - 1

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, int]]:
        """The shape of every parameter, in order."""
        shapes: dict[str, tuple[int, int]] = {}
        for i in range(1, len(self.sizes)):
            shapes[f"W{i}"] = (self.sizes[i - 1], self.sizes[i])
            shapes[f"b{i}"] = (1, self.sizes[i])
        return shapes

    @property
    def count(self) -> int:
        """The number of parameters.

        >>> Network([2, 2, 1]).count
        9
        """
        return sum(rows * columns for rows, columns in self.parameter_shapes.values())

    def initialize(
        self,
        seed: int | Random | None = None,
        dtype: DTypeLike = np.float64,
        generator: str = "default",
    ) -> dict[str, NDArray[Any]]:
        """Fresh parameters: weights as the initialiser draws them, layer by layer; biases 0.

        ``generator`` is ``"default"`` for `numpy.random.default_rng` or ``"legacy"`` for
        `numpy.random.RandomState`, whose draws are those after ``numpy.random.seed(seed)``. The
        seed may also be a generator of either kind. Numbers are drawn in float64, then cast.

        >>> network = Network([2, 2, 1], initializer="standard_normal")
        >>> network.initialize(42, generator="legacy")["W1"].round(4).tolist()
        [[0.4967, -0.1383], [0.6477, 1.523]]
        """
        kind = np.dtype(dtype)
        if kind not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise SettingError(f"dtype={kind.name!r} is not offered: use 'float64' or 'float32'.")
        rng = random_from(seed, generator)
        parameters: dict[str, NDArray[Any]] = {}
        for i in range(1, len(self.sizes)):
            shape = self.sizes[i - 1], self.sizes[i]
            W = np.asarray(self._initializer(rng, *shape))
            if W.shape != shape or W.dtype.kind not in "biuf" or not np.isfinite(W).all():
                raise SettingError(
                    f"The initializer {self._initializer.name} gave W{i} of shape {W.shape} and "
                    f"dtype {W.dtype}; it must give finite real numbers of shape {shape}."
                )
            parameters[f"W{i}"] = W.astype(kind)
            parameters[f"b{i}"] = np.zeros((1, shape[1]), kind)
        return parameters

    def dropout_masks(
        self, rng: np.random.Generator, n: int, dtype: DTypeLike = np.float64
    ) -> dict[str, NDArray[Any]]:
        """Masks for one step on ``n`` samples: ``{"m1": (n, sizes[1]), …}``, 0 or ``1 / (1 - p)``.

        Layers without dropout have none. Kept units are scaled up here, so that prediction uses
        none (Srivastava et al. 2014, section 10: "inverted" dropout).

        >>> Network([2, 4, 1], dropout=0.5).dropout_masks(np.random.default_rng(0), 1)
        {'m1': array([[2., 0., 0., 0.]])}
        """
        masks: dict[str, NDArray[Any]] = {}
        for i, rate in enumerate(self.rates, start=1):
            if rate > 0:
                kept = rng.random((n, self.sizes[i])) >= rate
                masks[f"m{i}"] = kept.astype(dtype) * (1 / (1 - rate))
        return masks

    def forward(
        self, parameters: Mapping[str, Any], X: Any, masks: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Every value on the way: ``{"z1", "a1", "z2", "a2", …}``, each of shape ``(n, sizes[i])``.

        With ``masks`` the activation ``ai`` is the one after dropout.

        >>> network = Network([1, 1], output="sigmoid")
        >>> W, b = np.array([[2.0]]), np.array([[-2.0]])
        >>> values = network.forward({"W1": W, "b1": b}, np.array([[1.0]]))
        >>> {name: value.tolist() for name, value in values.items()}
        {'z1': [[0.0]], 'a1': [[0.5]]}
        """
        a = _array(X)
        check_inputs(a, self.sizes[0])
        check_parameters(parameters, self.parameter_shapes)
        masks = masks or {}
        check_masks(masks, {f"m{i}": (a.shape[0], self.sizes[i]) for i in range(1, self.depth)})
        a = match_dtype(a, parameters["W1"])
        values: dict[str, Any] = {}
        for i, layer in enumerate(self.layers, start=1):
            z = a @ parameters[f"W{i}"] + parameters[f"b{i}"]
            a = layer(z)
            check_activated(layer, i, z, a)
            if f"m{i}" in masks:
                a = a * match_dtype(masks[f"m{i}"], a)
            values[f"z{i}"], values[f"a{i}"] = named(z, f"z{i}"), named(a, f"a{i}")
        return values

    def predict(self, parameters: Mapping[str, Any], X: Any) -> Any:
        """The output for each row of ``X``, shape ``(n, sizes[-1])``, without dropout."""
        return self.forward(parameters, X)[f"a{self.depth}"]

    def data_loss(
        self,
        parameters: Mapping[str, Any],
        X: Any,
        y: Any,
        masks: Mapping[str, Any] | None = None,
        weight: Any = None,
    ) -> Any:
        """The loss of the outputs against ``y``, without the penalties: a scalar.

        ``y`` has shape ``(n, sizes[-1])``, or ``(n,)`` class numbers for a loss of classes;
        ``weight`` shape ``(n,)``.

        Raises DataError where shapes do not fit, such as ``y`` of shape ``(n,)`` beside outputs of
        shape ``(n, 1)``, which NumPy would broadcast to ``(n, n)``.
        """
        y = _array(y)
        values = self.forward(parameters, X, masks)
        output = values[f"{'z' if self.criterion.takes == 'logits' else 'a'}{self.depth}"]
        check_targets(y, output.shape[0], output.shape[1], self.criterion)
        if weight is None:
            result = self.criterion(output, y)
        else:
            weight = _array(weight)
            check_weight(weight, output.shape[0])
            check_takes_weight(self.criterion)
            result = self.criterion(output, y, weight)
        check_total(self.criterion, result)
        return result

    def penalty(self, parameters: Mapping[str, Any]) -> Any:
        """``l1 Σ|W| + ½ l2 ΣW²`` over all weights; biases are free.

        >>> network = Network([1, 1], l1=1.0, l2=2.0)
        >>> float(network.penalty({"W1": np.array([[-3.0]]), "b1": np.array([[9.0]])}))
        12.0
        """
        total: Any = 0.0
        for i in range(1, self.depth + 1):
            W = parameters[f"W{i}"]
            if self.l1 > 0:
                total = total + float(self.l1) * np.sum(np.abs(W))
            if self.l2 > 0:
                total = total + 0.5 * float(self.l2) * np.sum(W**2)
        return total

    def loss(
        self,
        parameters: Mapping[str, Any],
        X: Any,
        y: Any,
        masks: Mapping[str, Any] | None = None,
        weight: Any = None,
    ) -> Any:
        """What training minimises: `data_loss` plus `penalty`, a scalar.

        >>> network = Network([2, 2, 1])
        >>> X, y = np.zeros((4, 2)), np.ones((4, 1))
        >>> float(network.loss(network.initialize(0), X, y))
        1.0
        """
        data_loss = self.data_loss(parameters, X, y, masks, weight)
        if self.l1 > 0 or self.l2 > 0:
            return data_loss + self.penalty(parameters)
        return data_loss

    def check_data(self, X: NDArray[Any], y: NDArray[Any]) -> None:
        """Raises DataError at the first shape or value that this network and loss cannot use."""
        check_inputs(X, self.sizes[0])
        check_targets(y, X.shape[0], self.sizes[-1], self.criterion)
        check_values(X, y, self.sizes[-1], self.criterion)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain data that JSON holds.

        >>> Network([2, 1], loss="huber(delta=2)").to_json()["loss"]
        'huber(delta=2)'

        Raises SettingError for functions of the user's own, which have no name to be found by.
        """
        data: dict[str, Any] = {"sizes": list(self.sizes)}
        for name, value in self._settings.items():
            data[name] = plain_setting(name, value)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Network:
        """The network that `to_json` described.

        >>> Network.from_json(Network([2, 1], l2=0.1).to_json())
        Network([2, 1], l2=0.1)

        Raises SettingError for a setting that is unknown, missing or out of range.
        """
        for name in data:
            if name not in ("sizes", *_DEFAULTS):
                raise unknown("setting", name, ("sizes", *_DEFAULTS))
        if "sizes" not in data:
            raise SettingError("The description of the network lacks 'sizes'.")
        return cls(**data)


def _array(value: Any) -> Any:
    """Lists and numbers as arrays; anything with a shape, traced values too, untouched."""
    return np.asarray(value) if isinstance(value, list | tuple | int | float) else value
