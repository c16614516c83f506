"""The options that a training run is described by, of `train` and of `explain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from chainrule.cli.sections import Number, fractions, names, option, whole_numbers

__all__ = ["REAL", "WHOLE", "run_options"]

WHOLE, REAL = Number(whole=True), Number(whole=False)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a training run."""
    for decorate in reversed(_RUN):
        command = decorate(command)
    return command


_RUN: list[Callable[[Any], Any]] = [
    option(
        "Data", "--target", metavar="COLUMN", help="What to predict. [default: the last column]"
    ),
    option(
        "Data",
        "--task",
        type=click.Choice(["classification", "regression"]),
        metavar="TASK",
        help="classification or regression. [default: found from the target]",
    ),
    option(
        "Data", "--drop", multiple=True, metavar="COLUMN", help="Leave a column out; repeatable."
    ),
    option(
        "Data",
        "--categorical",
        multiple=True,
        metavar="COLUMN",
        help="A column whose numbers are names of categories; repeatable.",
    ),
    option("Data", "--no-standardise", is_flag=True, help="Leave numbers as they are."),
    option("Data", "--encoding", metavar="NAME", default="utf-8", help="Of a text file. [utf-8]"),
    option("Data", "--header/--no-header", default=None, help="Line 1 names the columns, or not."),
    option(
        "Data",
        "--samples",
        type=WHOLE,
        metavar="N",
        help="Rows of moons, circles, spirals, sine. [200]",
    ),
    option("Data", "--bits", type=WHOLE, metavar="N", help="Bits of parity. [4]"),
    option(
        "Data", "--noise", type=REAL, metavar="SD", help="Noise of moons, circles, spirals, sine."
    ),
    option(
        "Network",
        "--hidden",
        callback=whole_numbers,
        metavar="N,N,…",
        help="Widths of the hidden layers, such as 16 or 16,8; 0 for none.",
    ),
    option(
        "Network",
        "--activation",
        callback=names,
        metavar="NAME,…",
        help="Of the hidden layers, one for all or one for each: sigmoid, tanh, relu, "
        "leaky_relu(slope=0.01), elu, selu, gelu, silu, softplus, identity, softmax, exponential.",
    ),
    option(
        "Network",
        "--output",
        metavar="NAME",
        help="Activation of the last layer. [goes with the loss]",
    ),
    option(
        "Network",
        "--loss",
        metavar="NAME",
        help="squared_error, squared_error_sum, half_squared_error, absolute_error, "
        "huber(delta=1), quantile(q=0.5), binary_cross_entropy, categorical_cross_entropy, "
        "hinge, poisson.",
    ),
    option(
        "Network", "--report", metavar="NAME", help="Show this loss in place of the one minimised."
    ),
    option(
        "Network",
        "--initializer",
        metavar="NAME",
        help="standard_normal, uniform, glorot, he, lecun (these three also _normal or _uniform), "
        "orthogonal, zeros.",
    ),
    option("Network", "--l1", type=REAL, metavar="X", default=0.0, help="Add X Σ|W| to the loss."),
    option("Network", "--l2", type=REAL, metavar="X", default=0.0, help="Add X ½ ΣW² to the loss."),
    option(
        "Network",
        "--dropout",
        callback=fractions,
        default="0",
        metavar="P,…",
        help="Share of hidden units dropped in training, one for all layers or one for each.",
    ),
    option(
        "Network",
        "--dtype",
        type=click.Choice(["float64", "float32"]),
        metavar="NAME",
        default="float64",
        help="float64 or float32. [float64]",
    ),
    option(
        "Training",
        "--optimizer",
        metavar="NAME",
        help="gradient_descent, momentum(momentum=0.9), nesterov, rmsprop, adagrad, adam, adamw, "
        "lion, lbfgs.",
    ),
    option(
        "Training",
        "--learning-rate",
        "--lr",
        type=REAL,
        metavar="X",
        help="The step size. [goes with the optimizer]",
    ),
    option(
        "Training",
        "--schedule",
        metavar="NAME",
        default="constant",
        help="How the rate changes: constant, step(every=100), exponential(factor=0.99), cosine, "
        "warmup(length=100), inverse_scaling, adaptive. [constant]",
    ),
    option(
        "Training", "--epochs", type=WHOLE, metavar="N", help="How often to go through the data."
    ),
    option("Training", "--batch-size", type=WHOLE, metavar="N", help="Rows in a step."),
    option("Training", "--no-shuffle", is_flag=True, help="Keep the rows' order in every epoch."),
    option("Training", "--seed", type=WHOLE, metavar="N", help="Where all random draws start."),
    option(
        "Training", "--validation", type=REAL, metavar="SHARE", help="Share of rows to hold out."
    ),
    option(
        "Training", "--validation-data", metavar="FILE", help="Rows of your own to validate on."
    ),
    option(
        "Training",
        "--patience",
        type=WHOLE,
        metavar="EPOCHS",
        help="Stop after more epochs than this without gain in the loss (held out, if there is "
        "one).",
    ),
    option(
        "Training", "--tolerance", type=REAL, metavar="X", default=1e-4, help="Least gain. [0.0001]"
    ),
    option("Training", "--keep-last", is_flag=True, help="Keep the last epoch, not the best one."),
    option("Training", "--clip-norm", type=REAL, metavar="X", help="Largest norm of the gradient."),
    option("Training", "--clip-value", type=REAL, metavar="X", help="Largest size of its entries."),
    option("Training", "--stop-loss", type=REAL, metavar="X", help="Stop at this loss."),
    option("Training", "--max-time", type=REAL, metavar="SECONDS", help="Stop after this time."),
    option(
        "Training",
        "--engine",
        type=click.Choice(["native", "interpreter"]),
        metavar="ENGINE",
        default="native",
        help="native: compiled for this processor; interpreter: NumPy, the reference. [native]",
    ),
]
