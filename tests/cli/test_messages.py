"""What is typed wrong gets one message, exit code 2, and nothing is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.cli import main

from .conftest import PROGRAM, environment, numbers, table

# What is typed, and what is said of it.
WRONG: list[tuple[str, str]] = [
    ("train", r"no data to train on: name a built-in set or a file, such as `chainrule train xor`"),
    ("train xorr", r"no built-in data set xorr: the data sets are 'xor', .* closest name first"),
    ("train sopp.csv", r"There is no file sopp.csv; the data files .* 'shop.csv'.*closest"),
    ("train nowhere/x.csv", r"There is no file nowhere/x.csv, nor a folder nowhere"),
    ("train .", r"is a folder: name a data file in it, such as"),
    ("train xor moons", r"unexpected extra argument \(moons\)"),
    ("trian xor", r"No such command 'trian'. Did you mean 'train'\? See \S+ --help."),
    ("train xor --optimzer adam", r"No such option '--optimzer'.*--optimizer.*train --help"),
    ("train xor --hidden", r"Option '--hidden' requires an argument"),
    # Names.
    ("train xor --optimizer adm", r"^--optimizer adm is not known. Did you mean 'adam'\? The cho"),
    ("train xor --optimizer sgd", r"^--optimizer sgd is not known. Did you mean 'gradient_desce"),
    ("train xor --activation rleu", r"^--activation rleu is not known. Did you mean 'relu'\?"),
    ("train xor --activation tanh,,relu", r"'tanh,,relu' is not a name such as tanh, or a list"),
    ("train xor --activation relu(a=1)", r"activation 'relu' has no setting 'a'"),
    ("train xor --activation leaky_relu(0.1)", r"^--activation 'leaky_relu\(0.1\)' cannot be rea"),
    ("train xor --output sigmod", r"^--output sigmod is not known. Did you mean 'sigmoid'\?"),
    ("train xor --loss mse", r"^--loss mse is not known. Did you mean 'squared_error'\?"),
    ("train xor --report mae", r"^--report mae is not known. Did you mean 'absolute_error'\?"),
    ("train xor --loss huber(delta=0)", r"delta=0 is out of range: it takes a number above 0"),
    ("train xor --initializer xavier", r"^--initializer xavier is not known.*mean 'glorot'"),
    ("train xor --schedule cosin", r"^--schedule cosin is not known. Did you mean 'cosine'\?"),
    ("train xor --schedule step", r"schedule 'step' needs every. Write it as 'step\(every=…\)'"),
    ("train xor --dtype float16", r"'--dtype': 'float16' is not one of 'float64', 'float32'"),
    ("train shop.csv --task classes", r"'classes' is not one of 'classification', 'regression'"),
    ("train shop.csv --encoding utf9", r"There is no text encoding 'utf9'"),
    # Numbers.
    ("train xor --epochs -3", r"^--epochs -3 is out of range: it takes a whole number, 0 or more"),
    ("train xor --epochs 1.5", r"'1.5' is not a whole number"),
    ("train xor --epochs many", r"'many' is not a whole number"),
    ("train xor --batch-size 0", r"^--batch-size 0 is out of range"),
    ("train xor --lr -1", r"^--learning-rate -1.0 is out of range"),
    ("train xor --lr nan", r"^--learning-rate nan is out of range"),
    ("train xor --lr inf", r"^--learning-rate inf is out of range"),
    ("train xor --lr fast", r"'fast' is not a number"),
    ("train xor --l1 -1", r"^--l1 -1.0 is out of range"),
    ("train xor --l2 nan", r"^--l2 nan is out of range"),
    ("train xor --dropout 1.5", r"^--dropout 1.5 is out of range"),
    ("train xor --dropout half", r"'half' is not a number or a list of them, such as 0.2,0.5"),
    ("train xor --dropout 0.1,0.1", r"dropout lists 2 values, but the network has 1 hidden lay"),
    ("train xor --hidden two", r"'two' is not a list of whole numbers from 1 to 1,000,000"),
    ("train xor --hidden -1", r"'-1' is not a list of whole numbers"),
    ("train xor --hidden 2,,3", r"'2,,3' is not a list of whole numbers"),
    ("train xor --hidden 1000000,1000000", r"parameters, which need [\d,]+ GB of memory to learn"),
    ("train xor --seed -1", r"^--seed -1 is out of range: it takes a whole number, 0 or more"),
    ("train price.csv --seed -1", r"^--seed -1 is out of range"),
    ("train xor --seed 4294967296", r"^--seed 4294967296 cannot be used: .* below 2\*\*32"),
    ("train moons --seed 99999999999999999999", r"The option seed is 99999999999999999999"),
    ("train moons --samples 1", r"The option samples is 1, and must be a whole number from 2"),
    ("train moons --noise -1", r"The option noise is -1.0"),
    ("train moons --noise nan", r"The option noise is nan"),
    ("train parity --bits 99", r"The option bits is 99, and must be a whole number from 1 to 20"),
    ("train moons --validation 1.5", r"validation fraction is 1.5, and must be at least 0"),
    ("train moons --validation nan", r"validation fraction is nan"),
    ("train moons --patience -1", r"^--patience -1 is out of range"),
    ("train moons --tolerance nan", r"^--tolerance nan is out of range"),
    ("train moons --clip-norm 0", r"^--clip-norm 0.0 is out of range: it takes a number above 0"),
    ("train moons --clip-value -1", r"^--clip-value -1.0 is out of range"),
    ("train moons --stop-loss nan", r"^--stop-loss nan is out of range: it takes a finite"),
    ("train moons --max-time 0", r"^--max-time 0.0 is out of range"),
    # What does not go together.
    ("train xor --hidden 3,4 --activation relu,relu,relu", r"lists 3 values, but .* 2 hidden"),
    ("train xor --hidden 0 --activation relu", r"^--activation relu is of hidden layers, and th"),
    ("train xor --hidden 0 --dropout 0.1", r"^--dropout drops hidden units, and there is none"),
    ("train xor --output softmax", r"softmax of a single number is always 1"),
    ("train xor --loss categorical_cross_entropy", r"of three classes or more.*'y' of the built-"),
    ("train moons --output tanh", r"^--output tanh does not go with --loss binary_cross_entropy"),
    ("train moons --optimizer lbfgs --lr 1", r"^--learning-rate 1 has no effect on L-BFGS"),
    ("train moons --optimizer lbfgs --batch-size 8", r"^--batch-size 8 has no effect on L-BFGS"),
    ("train moons --optimizer lbfgs --clip-norm 1", r"L-BFGS cannot be used with clip_norm"),
    ("train xor --samples 5", r"xor does not take --samples 5, since it is a truth table"),
    ("train xor --noise 0.1", r"xor does not take --noise 0.1"),
    ("train moons --bits 3", r"moons does not take --bits 3, since only parity has bits"),
    ("train xor --target x1", r"^--target is of tables, and the built-in data set xor says by it"),
    ("train xor --task regression", r"^--task is of tables"),
    ("train xor --drop x1", r"^--drop is of tables"),
    ("train xor --categorical x1", r"^--categorical is of tables"),
    ("train xor --no-header", r"^--header is of tables"),
    ("train shop.csv --samples 5", r"^--samples 5 is of the built-in data sets, and shop.csv is "),
    ("train shop.csv --bits 5", r"^--bits 5 is of the built-in data sets"),
    ("train shop.csv --noise 5", r"^--noise 5.0 is of the built-in data sets"),
    ("train shop.csv --validation 0.1 --validation-data shop.csv", r"leave one of the two out"),
    # The table.
    ("train shop.csv --target bougt", r"no column 'bougt' to be the target; the closest is 'boug"),
    ("train shop.csv --drop siz", r"no column 'siz' to leave out; the closest is 'size'"),
    ("train shop.csv --categorical siz", r"no column 'siz', which was to be a category"),
    ("train shop.csv --target city --drop city", r"is both the target and left out"),
    ("train shop.csv --task regression", r"has texts, such as .* and a regression needs numbers"),
    ("train shop.csv --no-header", r"one of numbers and has the text 'size' in row 1 \(line 1\)"),
    ("train price.csv --loss hinge", r"^--loss hinge takes 0 and 1 alone, and the column 'price'"),
    ("train price.csv --loss poisson", r"takes numbers of 0 or more, .* has -.* in row \d+ \(li"),
    ("train price.csv --loss binary_cross_entropy", r"^--loss binary_cross_entropy takes numbers "),
    ("train price.csv --report poisson", r"^--report poisson takes numbers of 0 or more"),
    ("train price.csv --loss categorical_cross_entropy", r"taken for a number: use another loss"),
    ("train shop.csv --validation-data price.csv", r"The file price.csv lacks the columns 'size'"),
    ("train shop.csv --validation-data none.csv", r"There is no file none.csv"),
    ("train one.csv --validation 0.5", r"only 1 row|cannot be split"),
    # Where things are put.
    ("train xor --save shop.csv", r"shop.csv is a file; a model is saved in a folder"),
    ("train xor --save .", r"The folder . holds other files .* and no model"),
    ("train xor --save shop.csv/model", r"cannot be written to \(Not a directory\)"),
    ("train xor --plot x.gif", r"a picture's name ends in .png, .svg, .pdf or another of"),
    ("train xor --plot x", r"a picture's name ends in"),
    ("train xor --plot nowhere/x.png", r"there is no folder nowhere"),
    ("train xor --plot a.png", r"--plot a.png is a folder: name a file"),
    ("train --resume nowhere", r"no run to go on with in nowhere: checkpoint.safetensors is not"),
    ("train xor --resume shop.csv", r"no run to go on with in shop.csv"),
    # Models.
    ("predict", r"Missing argument 'MODEL'. See \S+ predict --help."),
    ("predict nowhere xor", r"There is no folder nowhere"),
    ("predict shop.csv xor", r"shop.csv is not a folder"),
    ("show .", r"The folder . holds no model: there is no model.safetensors in it"),
    ("show", r"Missing argument 'MODEL'"),
]


@pytest.mark.parametrize(("typed", "message"), WRONG, ids=[typed for typed, _ in WRONG])
def test_one_message_and_nothing_written(run, tmp_path, typed, message):
    table(tmp_path / "shop.csv", 60)
    numbers(tmp_path / "price.csv")
    (tmp_path / "one.csv").write_text("a,b\n1,2.5\n")
    (tmp_path / "a.png").mkdir()
    refusal = run(*typed.split()).refusal
    assert re.search(message, refusal), refusal
    assert "Traceback" not in refusal
    names = {"shop.csv", "price.csv", "one.csv", "a.png"}
    assert {entry.name for entry in tmp_path.iterdir()} == names


def test_nothing_stays_of_a_folder_made_for_a_run_that_was_refused(run, tmp_path):
    run("train", "xor", "--save", "a/b/c", "--optimizer", "adm").refusal  # noqa: B018
    run("train", "xor", "--save", "a/b/c", "--epochs", -1).refusal  # noqa: B018
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place that takes no files")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--save", "/proc/model"], r"The folder /proc/model cannot be written to"),
        (["--plot", "/proc/x.png"], r"the folder /proc cannot be written to"),
    ],
)
def test_a_place_that_cannot_be_written_to(run, options, message):
    assert re.search(message, run("train", "xor", *options).refusal)


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX does")
def test_a_full_disk(tmp_path):
    """Files above 1 kB cannot be written, as if the disk were full."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "from chainrule.cli import main; main()"
    )
    save = [sys.executable, "-c", program, "train", "moons", "--epochs", "5", "--save", "model"]
    result = subprocess.run(save, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.match(
        r"Error: The checkpoint model/\S+ cannot be written \(File too large\)", result.stderr
    )
    assert list(tmp_path.iterdir()) == []
    plot = [*save[:-2], "--plot", "x.png"]
    result = subprocess.run(plot, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "Error: --plot x.png cannot be written (File too large).\n"
    assert "5 epochs in" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [PROGRAM, "train", "moons", "--epochs", "2"],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == (
        "Error: The output cannot be read or written (No space left on device).\n"
    )


def test_a_reader_that_has_read_enough(tmp_path):
    with subprocess.Popen(
        [PROGRAM, "train", "moons", "--epochs", "2000"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 1


def test_without_matplotlib_a_picture_is_refused_before_training(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = run("train", "xor", "--plot", "x.png").refusal
    assert message == (
        "--plot needs matplotlib, which is not installed: pip install 'chainrule[plot]'"
    )


def test_too_little_memory(run, monkeypatch):
    def lacking(recipe):
        raise MemoryError("Unable to allocate 728. TiB")

    monkeypatch.setattr("chainrule.cli.training.prepare", lacking)
    assert run("train", "xor").refusal == (
        "There is not enough memory (Unable to allocate 728. TiB). Use fewer units or a smaller "
        "batch size."
    )


def test_a_run_that_diverges_says_where_and_exits_with_1(run, tmp_path):
    result = run(
        "train", "sine", "--lr", "1e300", "--optimizer", "gradient_descent", "--save", "model"
    )
    assert result.code == 1
    assert result.err.startswith("Error: Training diverged in epoch 0: the loss is no longer fini")
    assert "learning rate (1e+299 instead of 1e+300), clipped gradients (--clip-norm 1)" in (
        result.err
    )
    assert list(tmp_path.iterdir()) == []


OPTIONS = sorted(
    max(parameter.opts, key=len)
    for parameter in main.commands["train"].params
    if isinstance(parameter, click.Option)
    and not parameter.is_flag
    and parameter.name not in ("epochs", "save")
)
WORDS = """adam( relu() huber(delta=0) step(every=0) 1e999 none x1 y a price 0,1 2,3 relu,tanh
softmax identity poisson hinge binary_cross_entropy float32 lbfgs cosine adaptive 0.5 ; . / zeros
momentum(momentum=0.5) warmup(length=3) regression price.csv 1e-300 -0.0"""
VALUES = st.one_of(
    # What a command line can hold: no zero bytes, but bytes that are no text.
    st.text(
        st.one_of(st.characters(min_codepoint=1, exclude_categories=["Cs"]), st.just("\udcff")),
        max_size=12,
    ),
    st.integers(-5, 5).map(str),
    st.floats(width=16).map(str),
    st.sampled_from(["", " ", *WORDS.split()]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["and", "sine", "price.csv"]),
    st.lists(st.tuples(st.sampled_from(OPTIONS), VALUES), min_size=1, max_size=3),
)
def test_no_value_of_an_option_gives_a_traceback(run, tmp_path, data, options):
    if not (tmp_path / "price.csv").exists():
        numbers(tmp_path / "price.csv")
    typed = [f"{option}={value}" for option, value in options]
    result = run("train", data, "--epochs", 2, *typed)
    assert result.code in (0, 1, 2), typed
    if result.code == 2:
        assert result.refusal
    else:
        assert ("Error: " in result.err) == bool(result.code)
