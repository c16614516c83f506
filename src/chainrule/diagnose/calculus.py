"""The loss of a network on its data as a function of one vector: value and exact derivatives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.derivatives import hvp, jvp, value_and_grad
from chainrule.interpreter import compile_graph
from chainrule.networks import Network
from chainrule.pytrees import flatten
from chainrule.simplification import simplify_graph
from chainrule.tracer import trace

__all__ = ["Calculus"]

Array = NDArray[np.float64]
Values = Mapping[str, Any]


class Calculus:
    """A function of a network's parameters on fixed data, in float64, and its derivatives.

    ``function`` is ``(parameters, X, y) -> scalar``; by default what the network minimises. All
    methods take the parameters as one vector ``v`` of length ``size``, in the order of
    `Network.parameter_shapes`. Each derivative is traced and made ready when first asked for.

    >>> network = Network([1, 1])
    >>> calculus = Calculus(network, np.array([[2.0]]), np.array([[1.0]]))
    >>> v = np.array([3.0, 0.0])
    >>> calculus.loss(v), calculus.gradient(v).tolist()
    (25.0, [20.0, 10.0])
    >>> calculus.hessian(v).tolist()
    [[8.0, 4.0], [4.0, 2.0]]
    """

    def __init__(
        self, network: Network, X: Any, y: Any, function: Callable[..., Any] | None = None
    ) -> None:
        self.network = network
        self.X = np.asarray(X, np.float64)
        self.y = np.asarray(y, np.float64) if np.asarray(y).dtype.kind == "f" else np.asarray(y)
        self._function = function or network.loss
        self._shapes = network.parameter_shapes
        self.size = network.count

    def vector(self, parameters: Values) -> Array:
        """A network's parameters as one vector."""
        rows = [np.asarray(parameters[name], np.float64).ravel() for name in self._shapes]
        return np.concatenate(rows)

    def parameters(self, v: Array) -> dict[str, Array]:
        """One vector as a network's parameters."""
        made: dict[str, Array] = {}
        start = 0
        for name, shape in self._shapes.items():
            stop = start + shape[0] * shape[1]
            made[name] = v[start:stop].reshape(shape)
            start = stop
        return made

    @cached_property
    def names(self) -> list[str]:
        """The name of each entry of the vector, such as ``W1[0,1]``."""
        return [
            f"{name}[{i},{j}]"
            for name, (rows, columns) in self._shapes.items()
            for i in range(rows)
            for j in range(columns)
        ]

    def loss(self, v: Array) -> float:
        """The value."""
        with np.errstate(all="ignore"):
            return float(self._function(self.parameters(v), self.X, self.y))

    def gradient(self, v: Array) -> Array:
        """The gradient, a vector."""
        return self.value_and_gradient(v)[1]

    def value_and_gradient(self, v: Array) -> tuple[float, Array]:
        """The value and its gradient."""
        value, *rows = self._run(self._gradient_program, v)
        return float(value), np.concatenate([np.ravel(row) for row in rows])

    def product(self, v: Array, u: Array) -> Array:
        """The product of the Hessian at ``v`` with a vector ``u``."""
        rows = self._run(self._product_program, v, u)
        return np.concatenate([np.ravel(row) for row in rows])

    def hessian(self, v: Array) -> Array:
        """The Hessian, from one exact product for each of its columns."""
        columns = [self.product(v, unit) for unit in np.eye(self.size)]
        matrix = np.array(columns)
        return (matrix + matrix.T) / 2  # equal but for rounding

    def jacobian(self, v: Array) -> Array:
        """The derivatives of all outputs by all parameters, (n · outputs, size).

        Outputs are what the loss takes: the last layer's pre-activations or activations.
        """
        columns = [np.ravel(self._run(self._pushed_program, v, unit)[0]) for unit in np.eye(len(v))]
        return np.array(columns).T

    def _run(self, program: Any, v: Array, *more: Array) -> list[Any]:
        arguments = [leaf for each in (v, *more) for leaf in self.parameters(each).values()]
        with np.errstate(all="ignore"):
            return program(*arguments, *self._data)

    @property
    def _data(self) -> tuple[Any, ...]:
        return self.X, self.y

    def _made(self, function: Callable[..., Any], *trees: Any) -> Any:
        return compile_graph(simplify_graph(trace(function, *trees, *self._data)))

    @cached_property
    def _start(self) -> dict[str, Array]:
        return self.parameters(np.linspace(0.1, 0.9, self.size))

    @cached_property
    def _gradient_program(self) -> Any:
        def both(parameters: Any, X: Any, y: Any) -> Any:
            value, gradient = value_and_grad(self._function)(parameters, X, y)
            return value, *flatten(gradient)[0]

        return self._made(both, self._start)

    @cached_property
    def _product_program(self) -> Any:
        def product(parameters: Any, direction: Any, X: Any, y: Any) -> Any:
            def loss(p: Any) -> Any:
                return self._function(p, X, y)

            along = hvp(loss, (parameters,), (direction,))
            return tuple(flatten(along)[0])

        return self._made(product, self._start, self._start)

    @cached_property
    def _pushed_program(self) -> Any:
        network = self.network
        kind = "z" if network.criterion.takes == "logits" else "a"

        def pushed(parameters: Any, direction: Any, X: Any, y: Any) -> Any:
            def outputs(p: Any) -> Any:
                return network.forward(p, X)[f"{kind}{network.depth}"]

            # y takes no part; the programs all have the same arguments.
            return jvp(outputs, (parameters,), (direction,))[1] + 0 * np.sum(y)

        return self._made(pushed, self._start, self._start)
