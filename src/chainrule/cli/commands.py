"""What can be typed: arguments only. What happens then is in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chainrule import __version__
from chainrule.cli.sections import DataCommand, fractions, names, option, whole_numbers

__all__ = ["main"]

_FILE = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="chainrule")
def main() -> None:
    r"""Train neural networks by backpropagation, and see, check and trust every gradient.

    \b
    chainrule train xor                      the notebook's run, number for number
    chainrule train flowers.csv --save DIR   a table of your own; its last column is the target
    chainrule predict DIR new.csv            what the model says of new rows
    chainrule show DIR                       its layers, and how it was trained
    """


@main.command(cls=DataCommand)
@click.argument("data", required=False)
@option("Data", "--target", help="The column to predict. [default: the last]")
@option(
    "Data",
    "--task",
    type=click.Choice(["classification", "regression"]),
    help="What the target is. [default: found from it]",
)
@option("Data", "--drop", multiple=True, metavar="COLUMN", help="Leave a column out; repeatable.")
@option(
    "Data",
    "--categorical",
    multiple=True,
    metavar="COLUMN",
    help="A column of numbers that are names of categories; repeatable.",
)
@option("Data", "--no-standardise", is_flag=True, help="Leave numbers as they are.")
@option("Data", "--encoding", default="utf-8", show_default=True, help="Of a text file.")
@option("Data", "--header/--no-header", default=None, help="Whether line 1 names the columns.")
@option("Data", "--samples", type=int, help="Rows of moons, circles, spirals, sine. [200]")
@option("Data", "--bits", type=int, help="Bits of parity. [4]")
@option("Data", "--noise", type=float, help="Noise of moons, circles, spirals, sine.")
@option(
    "Network",
    "--hidden",
    callback=whole_numbers,
    metavar="N,N,…",
    help="Widths of the hidden layers; 0 for none.",
)
@option(
    "Network",
    "--activation",
    callback=names,
    metavar="NAME,…",
    help="sigmoid, tanh, relu, leaky_relu, elu, selu, gelu, silu, softplus, identity; one for all "
    "hidden layers, or one for each.",
)
@option("Network", "--output", metavar="NAME", help="Activation of the last layer.")
@option(
    "Network",
    "--loss",
    metavar="NAME",
    help="squared_error, squared_error_sum, half_squared_error, absolute_error, huber(delta=1), "
    "quantile(q=0.5), binary_cross_entropy, categorical_cross_entropy, hinge, poisson.",
)
@option("Network", "--report", metavar="NAME", help="A loss to show in place of the minimised one.")
@option(
    "Network",
    "--initializer",
    metavar="NAME",
    help="standard_normal, uniform, glorot, he, lecun, orthogonal, zeros.",
)
@option("Network", "--l1", type=float, default=0.0, help="Penalty on Σ|W|.")
@option("Network", "--l2", type=float, default=0.0, help="Penalty on ½ ΣW².")
@option(
    "Network",
    "--dropout",
    callback=fractions,
    default="0",
    metavar="P,…",
    help="Share of hidden units dropped in training.",
)
@option(
    "Network",
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
)
@option(
    "Training",
    "--optimizer",
    metavar="NAME",
    help="gradient_descent, momentum(momentum=0.9), nesterov, rmsprop, adagrad, adam, adamw, "
    "lion, lbfgs.",
)
@option("Training", "--learning-rate", "--lr", type=float, help="The step size.")
@option(
    "Training",
    "--schedule",
    metavar="NAME",
    default="constant",
    show_default=True,
    help="constant, step(every=100), exponential, cosine, warmup(length=100), inverse_scaling, "
    "adaptive.",
)
@option("Training", "--epochs", type=int, help="How often to go through the data.")
@option("Training", "--batch-size", type=int, help="Rows in a step. [default: by the data]")
@option("Training", "--no-shuffle", is_flag=True, help="Keep the rows' order in every epoch.")
@option("Training", "--seed", type=int, help="Where all random draws start.")
@option("Training", "--validation", type=float, metavar="SHARE", help="Share of rows held out.")
@option("Training", "--validation-data", metavar="FILE", help="Rows of your own to validate on.")
@option(
    "Training", "--patience", type=int, metavar="EPOCHS", help="Stop after as many without gain."
)
@option(
    "Training", "--tolerance", type=float, default=1e-4, show_default=True, help="What is gain."
)
@option("Training", "--keep-last", is_flag=True, help="Keep the last epoch, not the best one.")
@option("Training", "--clip-norm", type=float, help="Largest norm of all gradients together.")
@option(
    "Training", "--clip-value", type=float, help="Largest absolute value of a gradient's entry."
)
@option("Training", "--stop-loss", type=float, help="Stop at this loss.")
@option("Training", "--max-time", type=float, metavar="SECONDS", help="Stop after this time.")
@option("Result", "--save", type=_FILE, metavar="DIR", help="Keep the model in a folder.")
@option("Result", "--plot", type=_FILE, metavar="FILE", help="Save a picture of the run.")
@option("Result", "--resume", type=_FILE, metavar="DIR", help="Go on with an interrupted run.")
@option("Result", "--json", "as_json", is_flag=True, help="The result as JSON, and nothing else.")
@click.pass_context
def train(ctx: click.Context, **options: Any) -> None:
    """Train a network on DATA, and show how it learns.

    DATA is a built-in set (xor, and, or, parity, moons, circles, spirals, sine) or a file: CSV,
    Parquet, .npz or .npy. What you leave open is chosen by the data; for xor, and, or with
    nothing chosen that is the classic run: two sigmoid hidden units, seed 42, 10,000 epochs of
    gradient descent at rate 0.1.
    """
    from chainrule.cli.training import run_train

    given = {
        name
        for name in options
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }
    run_train(options, given)


@main.command(cls=DataCommand)
@click.argument("model", type=_FILE)
@click.argument("data")
@option("Data", "--encoding", default="utf-8", show_default=True, help="Of a text file.")
@option("Data", "--header/--no-header", default=None, help="Whether line 1 names the columns.")
@option("Result", "--probabilities", is_flag=True, help="Add the probability of each class.")
@option("Result", "--output", type=_FILE, metavar="FILE", help="Write to a .csv or .parquet file.")
@option("Result", "--json", "as_json", is_flag=True, help="The predictions as JSON.")
def predict(**options: Any) -> None:
    """Predict each row of DATA with the MODEL in a folder.

    DATA needs the columns that the model was trained on, in any order. The predictions are
    printed as CSV; where DATA has the target too, the score goes to standard error.
    """
    from chainrule.cli.prediction import run_predict

    run_predict(**options)


@main.command(cls=DataCommand)
@click.argument("model", type=_FILE)
@option("Result", "--json", "as_json", is_flag=True, help="The description as JSON.")
def show(model: Path, as_json: bool) -> None:
    """Show the MODEL in a folder: layers, shapes, parameters, training record."""
    from chainrule.cli.showing import run_show

    run_show(model, as_json)
