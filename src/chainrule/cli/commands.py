"""What can be typed: arguments only. What happens then is in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chainrule import __version__
from chainrule.cli.sections import (
    DataCommand,
    Number,
    Program,
    fractions,
    importing,
    names,
    option,
    whole_numbers,
)

__all__ = ["main"]

_PATH = click.Path(path_type=Path)
_WHOLE, _REAL = Number(whole=True), Number(whole=False)
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=Program,
    context_settings=_HELP,
    epilog="""
    \b
    chainrule train xor                  a first run, a classic that does not learn
    chainrule train iris.csv --save DIR  a table of yours; its last column is learned
    chainrule predict DIR new.csv        what the model says of new rows
    chainrule show DIR                   its layers, and how it was trained
    chainrule check my_network.py        the gradients in a program of yours, line by line
    """,
)
@click.version_option(__version__, prog_name="chainrule")
def main() -> None:
    """Train neural networks by backpropagation, and see, check and trust every gradient."""


@main.command(
    cls=DataCommand,
    epilog="""
    \b
    Chosen where you say nothing:
      xor, and, or    2 sigmoid units; 10,000 epochs of gradient descent at rate 0.1
                      on the sum of squared errors, from numpy.random.seed(42)
      other sets      16,16 tanh units; 1,000 epochs of Adam at rate 0.01, batches
                      of 32, a fifth of the rows held out (parity: 2,000, none)
      tables          100 relu units; 200 epochs of Adam at rate 0.001, batches of
                      200, a tenth of the rows held out where there are 50 or more

    Exit code: 0 when done, 1 when the loss diverged, 2 when something was refused, 130 when
    interrupted. Ctrl-C finishes the step and keeps what was learned; a second one stops at once.
    """,
)
@click.argument("data", required=False)
@option("Data", "--target", metavar="COLUMN", help="What to predict. [default: the last column]")
@option(
    "Data",
    "--task",
    type=click.Choice(["classification", "regression"]),
    metavar="TASK",
    help="classification or regression. [default: found from the target]",
)
@option("Data", "--drop", multiple=True, metavar="COLUMN", help="Leave a column out; repeatable.")
@option(
    "Data",
    "--categorical",
    multiple=True,
    metavar="COLUMN",
    help="A column whose numbers are names of categories; repeatable.",
)
@option("Data", "--no-standardise", is_flag=True, help="Leave numbers as they are.")
@option("Data", "--encoding", metavar="NAME", default="utf-8", help="Of a text file. [utf-8]")
@option("Data", "--header/--no-header", default=None, help="Line 1 names the columns, or not.")
@option(
    "Data",
    "--samples",
    type=_WHOLE,
    metavar="N",
    help="Rows of moons, circles, spirals, sine. [200]",
)
@option("Data", "--bits", type=_WHOLE, metavar="N", help="Bits of parity. [4]")
@option("Data", "--noise", type=_REAL, metavar="SD", help="Noise of moons, circles, spirals, sine.")
@option(
    "Network",
    "--hidden",
    callback=whole_numbers,
    metavar="N,N,…",
    help="Widths of the hidden layers, such as 16 or 16,8; 0 for none.",
)
@option(
    "Network",
    "--activation",
    callback=names,
    metavar="NAME,…",
    help="Of the hidden layers, one for all or one for each: sigmoid, tanh, relu, "
    "leaky_relu(slope=0.01), elu, selu, gelu, silu, softplus, identity, softmax, exponential.",
)
@option(
    "Network", "--output", metavar="NAME", help="Activation of the last layer. [goes with the loss]"
)
@option(
    "Network",
    "--loss",
    metavar="NAME",
    help="squared_error, squared_error_sum, half_squared_error, absolute_error, huber(delta=1), "
    "quantile(q=0.5), binary_cross_entropy, categorical_cross_entropy, hinge, poisson.",
)
@option("Network", "--report", metavar="NAME", help="Show this loss in place of the one minimised.")
@option(
    "Network",
    "--initializer",
    metavar="NAME",
    help="standard_normal, uniform, glorot, he, lecun (these three also _normal or _uniform), "
    "orthogonal, zeros.",
)
@option("Network", "--l1", type=_REAL, metavar="X", default=0.0, help="Add X Σ|W| to the loss.")
@option("Network", "--l2", type=_REAL, metavar="X", default=0.0, help="Add X ½ ΣW² to the loss.")
@option(
    "Network",
    "--dropout",
    callback=fractions,
    default="0",
    metavar="P,…",
    help="Share of hidden units dropped in training, one for all layers or one for each.",
)
@option(
    "Network",
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    metavar="NAME",
    default="float64",
    help="float64 or float32. [float64]",
)
@option(
    "Training",
    "--optimizer",
    metavar="NAME",
    help="gradient_descent, momentum(momentum=0.9), nesterov, rmsprop, adagrad, adam, adamw, "
    "lion, lbfgs.",
)
@option(
    "Training",
    "--learning-rate",
    "--lr",
    type=_REAL,
    metavar="X",
    help="The step size. [goes with the optimizer]",
)
@option(
    "Training",
    "--schedule",
    metavar="NAME",
    default="constant",
    help="How the rate changes: constant, step(every=100), exponential(factor=0.99), cosine, "
    "warmup(length=100), inverse_scaling, adaptive. [constant]",
)
@option("Training", "--epochs", type=_WHOLE, metavar="N", help="How often to go through the data.")
@option("Training", "--batch-size", type=_WHOLE, metavar="N", help="Rows in a step.")
@option("Training", "--no-shuffle", is_flag=True, help="Keep the rows' order in every epoch.")
@option("Training", "--seed", type=_WHOLE, metavar="N", help="Where all random draws start.")
@option("Training", "--validation", type=_REAL, metavar="SHARE", help="Share of rows to hold out.")
@option("Training", "--validation-data", metavar="FILE", help="Rows of your own to validate on.")
@option(
    "Training",
    "--patience",
    type=_WHOLE,
    metavar="EPOCHS",
    help="Stop after more epochs than this without gain in the loss (held out, if there is one).",
)
@option(
    "Training", "--tolerance", type=_REAL, metavar="X", default=1e-4, help="Least gain. [0.0001]"
)
@option("Training", "--keep-last", is_flag=True, help="Keep the last epoch, not the best one.")
@option("Training", "--clip-norm", type=_REAL, metavar="X", help="Largest norm of the gradient.")
@option("Training", "--clip-value", type=_REAL, metavar="X", help="Largest size of its entries.")
@option("Training", "--stop-loss", type=_REAL, metavar="X", help="Stop at this loss.")
@option("Training", "--max-time", type=_REAL, metavar="SECONDS", help="Stop after this time.")
@option(
    "Training",
    "--engine",
    type=click.Choice(["native", "interpreter"]),
    metavar="ENGINE",
    default="native",
    help="native: compiled for this processor; interpreter: NumPy, the reference. [native]",
)
@option(
    "Result",
    "--show-kernel",
    is_flag=True,
    help="Print the plan and the native code of a step, and train nothing.",
)
@option("Result", "--save", type=_PATH, metavar="DIR", help="Keep the model in a folder.")
@option("Result", "--plot", type=_PATH, metavar="FILE", help="Save a picture: .png, .svg or .pdf.")
@option("Result", "--resume", type=_PATH, metavar="DIR", help="Go on with a run that was saved.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@click.pass_context
def train(ctx: click.Context, **options: Any) -> None:
    """Train a network on DATA, and show how it learns.

    DATA is a built-in set (xor, and, or, parity, moons, circles, spirals, sine) or a file: CSV,
    Parquet, .npz or .npy.
    """
    with importing():
        from chainrule.cli.training import run_train

    given = {
        name
        for name in options
        if ctx.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }
    run_train(options, given)


@main.command(cls=DataCommand)
@click.argument("model", type=_PATH)
@click.argument("data")
@option("Data", "--encoding", metavar="NAME", default="utf-8", help="Of a text file. [utf-8]")
@option("Data", "--header/--no-header", default=None, help="Line 1 names the columns, or not.")
@option("Result", "--probabilities", is_flag=True, help="Add the probability of each class.")
@option("Result", "--output", type=_PATH, metavar="FILE", help="Write to a .csv or .parquet file.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the predictions as JSON.")
def predict(**options: Any) -> None:
    """Predict each row of DATA with the MODEL in a folder.

    DATA is a file or a built-in set with the columns that the model was trained on, in any order.
    The predictions are printed as CSV; where DATA has the target too, how good they are goes to
    standard error.
    """
    with importing():
        from chainrule.cli.prediction import run_predict

    run_predict(**options)


@main.command(cls=DataCommand)
@click.argument("model", type=_PATH)
@option("Result", "--json", "as_json", is_flag=True, help="Print the description as JSON.")
def show(model: Path, as_json: bool) -> None:
    """Show the layers of the MODEL in a folder, and how it was trained."""
    with importing():
        from chainrule.cli.showing import run_show

    run_show(model, as_json)


@main.command(
    cls=DataCommand,
    epilog="""
    \b
    Each line that computes a gradient is shown with a mark:
      ✓  exact      ~  right but for a factor      ✗  the first wrong one      ·  follows it

    The program runs in a copy of its folder, with 4 GiB of memory at most; what it prints is not
    shown. Exit code: 0 where the gradients are right, also where all of them have one factor or
    sign; 1 where they are wrong; 2 where that cannot be told; of several programs, the largest.
    """,
)
@click.argument("programs", type=_PATH, nargs=-1, required=True)
@option("Program", "--loss", metavar="NAME", help="The variable that is the loss. [found]")
@option(
    "Program",
    "--timeout",
    type=_REAL,
    metavar="SECONDS",
    default=60.0,
    help="Stop the program after this time. [60]",
)
@option(
    "Repair",
    "--repair-time",
    type=_REAL,
    metavar="SECONDS",
    default=10.0,
    help="Search that long for a repair of what is wrong; 0 for none. [10]",
)
@option(
    "Repair",
    "--fix",
    type=_PATH,
    metavar="FILE",
    help="Write the repaired program to a new FILE, or a diff where it ends in .diff.",
)
@option("Repair", "--in-place", is_flag=True, help="Write the repairs into the program itself.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@option(
    "Result",
    "--html",
    type=_PATH,
    metavar="FILE",
    help="Write the result as one page: a .html file.",
)
def check(**options: Any) -> None:
    """Check the gradients written by hand in PROGRAMS of yours.

    PROGRAMS are scripts (.py) or notebooks (.ipynb) that train with NumPy, or folders of them. They
    are run, and what they compute is compared with the exact gradients of their loss.
    """
    with importing():
        from chainrule.cli.checking import run_check

    run_check(**options)
