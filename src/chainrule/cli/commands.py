"""What can be typed: arguments only. What happens then is in the modules beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from chainrule import __version__
from chainrule.cli.many import run_defaults, seeds, sweep_options
from chainrule.cli.options import REAL, WHOLE, run_options
from chainrule.cli.sections import DataCommand, Program, importing, option

__all__ = ["main"]

_PATH = click.Path(path_type=Path)
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
    chainrule explain xor                every number of a training step, and its rule
    chainrule sweep xor --hidden 2,3     how many of a thousand seeds learn it
    chainrule diagnose DIR               why a network does not learn, and what helps
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
@run_options
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

    run_train(options, given_options(ctx))


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
    sign; 1 where they are wrong; 2 where that cannot be told. Of several it is 1 where one is.
    """,
)
@click.argument("programs", type=_PATH, nargs=-1, required=True)
@option("Program", "--loss", metavar="NAME", help="The variable that is the loss. [found]")
@option(
    "Program",
    "--timeout",
    type=REAL,
    metavar="SECONDS",
    default=60.0,
    help="Stop the program after this time. [60]",
)
@option(
    "Repair",
    "--repair-time",
    type=REAL,
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


@main.command(
    cls=DataCommand,
    epilog="""
    \b
    chainrule explain xor --epoch 0                     the first step, line by line
    chainrule explain xor --epoch 731 --why "W1[0,1]"   where one number came from
    chainrule explain xor --html xor.html               to step through, epoch by epoch
    chainrule explain xor --notebook xor.ipynb          the training by hand, in NumPy
    chainrule explain my_network.py                     a step of your own program

    Epochs count from 0, as train prints them; the number of all epochs stands for the trained
    network. What is trained again gives the same numbers each time. Of a program, --epoch is an
    iteration of its training loop, and --loss the name that it has for its loss.
    """,
)
@click.argument("what", metavar="TARGET")
@option("Explain", "--epoch", type=WHOLE, metavar="N", help="The epoch to explain. [the last]")
@option("Explain", "--batch", type=WHOLE, metavar="N", default=0, help="Its batch. [0]")
@option("Explain", "--why", metavar="NUMBER", help='Where one number came from, as "W1[0,1]".')
@option("Explain", "--all", "whole", is_flag=True, help="Fold nothing.")
@run_options
@option("Result", "--html", type=_PATH, metavar="FILE", help="Write an interactive page.")
@option("Result", "--notebook", type=_PATH, metavar="FILE", help="Write a Jupyter notebook.")
@option("Result", "--python", type=_PATH, metavar="FILE", help="Write a NumPy script.")
@option("Result", "--latex", type=_PATH, metavar="FILE", help="Write a LaTeX document.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the derivation as JSON.")
@click.pass_context
def explain(ctx: click.Context, **options: Any) -> None:
    """Explain a training step of TARGET: every number, and the rule that made it.

    TARGET is a built-in set or a file, with the options of train, the folder of a saved model, or a
    program that trains with NumPy (.py, .ipynb).
    """
    with importing():
        from chainrule.cli.explaining import run_explain

    run_explain(options, given_options(ctx))


@main.command(
    cls=DataCommand,
    epilog="""
    \b
    chainrule sweep xor --seeds 10000 --hidden 2,3,4            a grid
    chainrule sweep xor --learning-rate 0.01..1 --search random --trials 20
    chainrule sweep moons --seeds 200 --optimizer "adam,momentum(momentum=0.8)"

    A value that is a list is tried with all others; a..b is a range to draw from, layers are joined
    by x (4x4) or / (tanh/relu). Seed s gives the weights that train --seed s does, to the bit.
    Runs are kept as they come: after Ctrl-C or worse, the same command goes on.
    """,
)
@click.argument("data")
@option(
    "Sweep",
    "--seeds",
    callback=seeds,
    default="1000",
    metavar="N|A:B",
    help="How many seeds, from 0 on, or from A to B - 1. [1000]",
)
@option(
    "Sweep",
    "--goal",
    type=REAL,
    default=0.01,
    metavar="LOSS",
    help="The loss at which a run has succeeded, and ends. [0.01]",
)
@option(
    "Sweep",
    "--search",
    type=click.Choice(["grid", "random", "tpe", "qmc"]),
    default="grid",
    metavar="HOW",
    help="grid: all combinations; random; tpe or qmc: Optuna's samplers. [grid]",
)
@option("Sweep", "--trials", type=WHOLE, metavar="N", help="How many settings a search tries.")
@option("Sweep", "--workers", type=WHOLE, metavar="N", help="Train in N processes, with Dask.")
@option("Sweep", "--cluster", metavar="ADDRESS", help="Train on a Dask cluster that is there.")
@sweep_options
@option("Result", "--save", type=_PATH, metavar="DIR", help="Keep the runs in this folder.")
@option("Result", "--plot", type=_PATH, metavar="FILE", help="Save a picture: .png, .svg or .pdf.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the result as JSON alone.")
@click.pass_context
def sweep(ctx: click.Context, **options: Any) -> None:
    """Train on DATA from many seeds and with many settings, and count how many learn it.

    DATA is a built-in set or a file, as for train, and so are most options.
    """
    with importing():
        from chainrule.cli.sweeping import run_sweeping

    run_sweeping(options, run_defaults())


@main.command(cls=DataCommand)
@click.argument("model", type=_PATH)
@click.argument("data", required=False)
@option("Diagnose", "--time", type=REAL, metavar="SECONDS", default=2.0,
        help="Train on, and try advice, that long; 0 for not at all. [2]")  # fmt: skip
@option("Diagnose", "--all", "whole", is_flag=True, help="Show advice that did not help, too.")
@option("Result", "--html", type=_PATH, metavar="FILE", help="Write a page.")
@option("Result", "--plot", type=_PATH, metavar="FILE", help="Save a picture: .png, .svg or .pdf.")
@option("Result", "--json", "as_json", is_flag=True, help="Print the diagnosis as JSON.")
def diagnose(**options: Any) -> None:
    """Say why the MODEL in a folder does not learn, and what helps.

    DATA is a built-in set or a file with the same columns; by default what the model was trained
    on.
    """
    with importing():
        from chainrule.cli.diagnosing import run_diagnose

    run_diagnose(options)


def given_options(ctx: click.Context) -> set[str]:
    """The options that were typed."""
    default = click.core.ParameterSource.DEFAULT
    return {name for name in ctx.params if ctx.get_parameter_source(name) is not default}
