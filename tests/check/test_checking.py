"""Programs that train rightly or wrongly, and programs that do what a check must survive."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import chainrule.check
from chainrule.check import Check, assert_backprop, check_program
from chainrule.cli import main
from chainrule.errors import DataError, SettingError

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a check copies its process")

RIGHT = """
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
W1, W2 = rng.normal(size=(3, 4)), rng.normal(size=(4, 1))

for step in range(6):
    h = np.tanh(X @ W1)
    out = h @ W2
    loss = np.mean((out - y) ** 2)
    d_out = 2 * (out - y) / len(y)
    dW2 = h.T @ d_out
    d_h = d_out @ W2.T * (1 - h ** 2)
    dW1 = X.T @ d_h
    W1 -= 0.1 * dW1
    W2 -= 0.1 * dW2
"""
WRONG = RIGHT.replace("(1 - h ** 2)", "(1 - h)")
FACTOR = RIGHT.replace("2 * (out - y) / len(y)", "out - y")
SIGN = RIGHT.replace("2 * (out - y)", "2 * (y - out)").replace("-= 0.1", "+= 0.1")


def program(folder: Path, text: str, name: str = "net.py") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def notebook(folder: Path, *cells: str, name: str = "net.ipynb") -> Path:
    path = folder / name
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    path.write_text(json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5}))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def checked(folder: Path, text: str, **options: Any) -> Check:
    """Check a program, and see to it that nothing in its folder has changed."""
    path = program(folder, text)
    program(folder, "1,2\n3,4\n", "data.csv")
    before = contents(folder)
    check = check_program(path, **options)
    assert contents(folder) == before
    return check


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["check", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("text", "verdict", "code", "words"),
    [
        (RIGHT, "exact", 0, "Both gradients are those of loss, to within 1e-7."),
        (WRONG, "wrong", 1, "The first wrong line is line 14: d_h = d_out @ W2.T * (1 - h)"),
        (FACTOR, "constant factor", 0, "it acts like a learning rate 4 times as large."),
        (SIGN, "sign convention", 0, "the steps are added: that goes downhill as well."),
    ],
)
def test_a_verdict_and_its_words(tmp_path, text: str, verdict: str, code: int, words: str):
    check = checked(tmp_path, text)
    assert (check.verdict, check.exit_code, check.outcome) == (verdict, code, "ran")
    assert words in check.summary
    assert [each.name for each in check.parameters] == ["W1", "W2"]
    assert json.loads(json.dumps(check.to_json()))["schema"] == 1


def test_the_gradients_are_named_with_their_lines(tmp_path):
    check = checked(tmp_path, RIGHT)
    values = {each.name: (each.place.line, each.of, each.factor) for each in check.values}
    assert values["dW2"] == (13, "W2", 1.0)
    assert values["dW1"] == (15, "W1", 1.0)
    assert values["d_out"] == (12, "out", 1.0)


# What goes wrong, after a training that is right or before any.
BEFORE, AFTER = "before any", "after one"
ENDINGS = [
    ("raise ValueError('no more')", "failed", "line {line}: ValueError: no more."),
    ("while True: pass", "timed out", "stopped after 3 s"),
    ("a = [bytearray(10**8) for i in range(10**6)]", "too much memory", "may have 1 GiB"),
    ("while True: print('x' * 10**6)", "too much output", "printed more than 50 MB"),
    ("name = input('Your name: ')", "failed", "reads standard input in line {line}"),
    ("import sys; sys.exit(3)", "exited", "ended itself in line {line}, with exit code 3"),
    ("import os; os._exit(4)", "exited", "ended itself, with exit code 4"),
    ("import os; os.kill(os.getpid(), 11)", "failed", "it was ended by SIGSEGV"),
    ("open('../elsewhere.csv')", "failed", "files beside that folder are not there"),
]


CASES = [(*each, BEFORE) for each in ENDINGS] + [(*each, AFTER) for each in ENDINGS[:6:2]]


@pytest.mark.parametrize(
    ("line", "outcome", "words", "when"), CASES, ids=[f"{c[0][:20]}, {c[3]}" for c in CASES]
)
def test_a_program_that_does_not_end_well(tmp_path, line, outcome, words, when):
    text = f"import numpy as np\n{line}\n" + RIGHT if when == BEFORE else f"{RIGHT}\n{line}\n"
    timeout = 3 if "while True: pass" in line else 30
    check = checked(tmp_path, text, timeout=timeout, memory=2**30)
    assert check.outcome == outcome
    number = text.splitlines().index(line) + 1
    said = check.reason if when == BEFORE else check.notes[0]
    assert words.format(line=number) in str(said)
    assert check.verdict == ("cannot tell" if when == BEFORE else "exact")
    assert check.exit_code == (2 if when == BEFORE else 0)


@pytest.mark.parametrize(
    "line",
    [
        "import os, shutil; shutil.rmtree(os.getcwd())",
        "import os; [os.remove(name) for name in os.listdir()]",
        "open(__file__, 'w').write('gone'); open('data.csv', 'a').write('more')",
        "import threading, time; threading.Thread(target=time.sleep, args=(0.2,)).start()",
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'while True: pass'])",
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); plt.savefig('p.png'); plt.show()",
        "print(len(open('data.csv').read().splitlines()), 'Δ', flush=True)",
    ],
)
def test_a_program_with_side_effects_is_checked_and_leaves_the_users_files(tmp_path, line):
    check = checked(tmp_path, f"{line}\n{RIGHT}")
    assert (check.verdict, check.outcome, check.notes) == ("exact", "ran", ())


def test_a_thread_that_never_ends_is_stopped(tmp_path):
    line = "import threading; threading.Thread(target=threading.Event().wait).start()"
    start = time.monotonic()
    check = checked(tmp_path, f"{line}\n{RIGHT}", timeout=2)
    assert (check.verdict, check.outcome) == ("exact", "timed out")
    assert time.monotonic() - start < 4


def test_ctrl_c_ends_every_program_at_once(tmp_path):
    for name in "abcd":
        program(tmp_path, "while True: pass", f"{name}.py")
    command = [sys.executable, "-m", "chainrule.cli", "check", tmp_path]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1.5)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=5)
    assert (running.returncode, out, err) == (130, b"", b"Interrupted.\n")


def test_what_a_program_starts_ends_with_it(tmp_path):
    line = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}])"
    mark = tmp_path / "alive"
    code = f"import time; time.sleep(1.5); open({str(mark)!r}, 'w')"
    check = check_program(program(tmp_path, f"{line.format(code=code)}\n{RIGHT}"))
    assert check.verdict == "exact"
    time.sleep(1.8)
    assert not mark.exists()


def test_a_folder_that_is_large_is_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.check.sandbox._LARGEST_FOLDER", 1000)
    program(tmp_path, "rate = 0.1\n", "settings.py")
    (tmp_path / "large.bin").write_bytes(bytes(2000))
    text = "import os, settings\nassert not os.path.exists('large.bin')\n" + RIGHT
    check = check_program(program(tmp_path, text))
    assert check.verdict == "exact"
    assert "larger than 50 MB" in check.notes[0]


@pytest.mark.parametrize("name", ["random.py", "argparse.py", "graph.py"])
def test_files_named_as_modules_are_no_concern(tmp_path, name):
    program(tmp_path, "from math import exp\n", name)
    text = RIGHT if name == "graph.py" else f"import sys; sys.path.pop(0)\n{RIGHT}"
    assert checked(tmp_path, text).verdict == "exact"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "No loop of the program was run"),
        ("def train():\n    for i in range(3):\n        pass\n", "No loop of the program was run"),
        ("for word in ['a', 'b']:\n    print(word)\n", "No loop was found that trains"),
        ("w = 5.0\nfor i in range(9):\n    w = w * 0.9\n", "No loss was found"),
    ],
)
def test_what_does_not_train_cannot_be_told(tmp_path, text, words):
    check = checked(tmp_path, text)
    assert (check.verdict, check.outcome, check.exit_code) == ("cannot tell", "ran", 2)
    assert words in check.summary
    assert check.summary.count("\n") == 0


def test_a_loop_that_cannot_be_followed_says_where(tmp_path):
    text = RIGHT.replace("np.tanh(X @ W1)", "np.fft.fft(X @ W1).real")
    words = r"The loop in line 8 cannot be followed: .* \(net\.py, line 9, in `h = np\.fft"
    assert re.match(words, checked(tmp_path, text).summary)
    path = notebook(tmp_path, "import numpy as np", text)
    words = words.replace(r"net\.py", r"net\.ipynb").replace("line", "cell 1, line")
    assert re.match(words, check_program(path).summary)


def test_a_loss_that_is_not_there_is_named(tmp_path):
    check = checked(tmp_path, RIGHT, loss="costs")
    assert "No number named costs" in check.summary
    assert checked(tmp_path, RIGHT, loss="loss").verdict == "exact"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("net.txt", "x = 1", "neither a script"),
        ("net.py", "for i in", "line 1: Python cannot read it"),
        ("net.py", "x = 1\nreturn x", "line 2: Python cannot read it: 'return' outside function"),
        ("net.py", "\0", "Python cannot read it"),
        ("net.py", "-" * 100_000 + "1", "Python cannot read it"),
        ("net.ipynb", "{}", "no list of cells"),
        ("net.ipynb", "[" * 100_000, "no list of cells"),
    ],
)
def test_a_file_that_is_no_program_is_refused(tmp_path, name, text, words):
    with pytest.raises(DataError, match=words):
        check_program(program(tmp_path, text, name))


def test_files_that_are_not_there_and_limits_that_are_none(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        check_program(tmp_path / "none.py")
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        check_program(tmp_path / "folder.py")
    for timeout in (0, -1, float("nan")):
        with pytest.raises(SettingError, match="out of range"):
            check_program(program(tmp_path, RIGHT), timeout=timeout)
    with pytest.raises(SettingError, match="out of range"):
        check_program(program(tmp_path, RIGHT), memory=0)


def test_where_processes_cannot_be_copied_it_says_so(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "fork")
    check = check_program(program(tmp_path, RIGHT))
    assert (check.verdict, check.exit_code, check.outcome) == ("cannot tell", 2, "cannot run")
    assert "Linux or macOS" in check.summary


def test_assert_backprop(tmp_path):
    assert_backprop(program(tmp_path, RIGHT))
    with pytest.raises(AssertionError, match=r"net\.py: The first wrong line is line 14: d_h"):
        assert_backprop(program(tmp_path, WRONG))
    with pytest.raises(AssertionError, match="No loop of the program"):
        assert_backprop(program(tmp_path, ""))


def test_the_package_is_light_and_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'chek'"):
        chainrule.check.chek  # noqa: B018
    code = "import sys, chainrule.check; print('numpy' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert printed.strip() == b"False"


# The command.


def test_a_right_program_is_shown_line_by_line(tmp_path):
    result = call(program(tmp_path, RIGHT))
    assert result.exit_code == 0
    assert result.stdout == (
        f"{tmp_path / 'net.py'}\n\n"
        "✓  12  d_out = 2 * (out - y) / len(y)     ∂L/∂out\n"
        "✓  13  dW2 = h.T @ d_out                  ∂L/∂W2\n"
        "✓  14  d_h = d_out @ W2.T * (1 - h ** 2)  ∂L/∂(unnamed)\n"
        "✓  15  dW1 = X.T @ d_h                    ∂L/∂W1\n\n"
        "Both gradients are those of loss, to within 1e-7.\n"
    )


def test_a_wrong_program_is_shown_with_its_first_wrong_line(tmp_path):
    result = call(program(tmp_path, WRONG))
    assert result.exit_code == 1
    marks = {line[0]: line for line in result.stdout.splitlines() if line[:1] in ("✗", "·")}
    assert marks["✗"] == "✗  14  d_h = d_out @ W2.T * (1 - h)    first wrong"
    assert marks["·"] == "·  15  dW1 = X.T @ d_h                 follows"
    assert (
        "The gradient of W1 is not that of loss. With the exact gradient in this place every "
        "update is right.\n"
    ) in result.stdout
    assert "\n  -    d_h = d_out @ W2.T * (1 - h)\n  +    d_h = d_out @ W2.T * (1 - h ** 2)\n" in (
        result.stdout
    )


def test_factors_are_shown(tmp_path):
    result = call(program(tmp_path, FACTOR))
    assert result.exit_code == 0
    assert "~  13  dW2 = h.T @ d_out                  4 ∂L/∂W2" in result.stdout


def test_json_is_one_object_for_a_file_and_a_list_for_several(tmp_path):
    right, wrong = program(tmp_path, RIGHT), program(tmp_path, WRONG, "wrong.py")
    one = call(wrong, "--json")
    found = json.loads(one.stdout)
    assert (one.exit_code, found["verdict"], found["exit_code"]) == (1, "wrong", 1)
    assert found["first"]["line"] == 14
    assert found["first"]["text"] == "    d_h = d_out @ W2.T * (1 - h)"
    both = call(right, wrong, right, "--json")
    assert [each["verdict"] for each in json.loads(both.stdout)] == ["exact", "wrong"]
    assert both.exit_code == 1


def test_a_folder_with_a_broken_file(tmp_path):
    program(tmp_path, RIGHT, "a.py")
    program(tmp_path, "for i in", "b.py")
    program(tmp_path, WRONG, "c.py")
    (tmp_path / ".hidden").mkdir()
    program(tmp_path / ".hidden", RIGHT, "d.py")
    result = call(tmp_path)
    assert result.exit_code == 1  # one is wrong, which says more than that one cannot be read
    assert call(tmp_path / "a.py", tmp_path / "b.py").exit_code == 2
    lines = result.stdout.splitlines()
    assert [line[0] for line in lines[:3]] == ["✓", "?", "✗"]
    assert "Python cannot read it" in lines[1]
    assert lines[2].endswith("c.py  line 14: d_h = d_out @ W2.T * (1 - h)")
    assert lines[-1] == "3 programs: 1 right, 1 wrong, 1 cannot be told."


def test_a_notebook_with_magics(tmp_path):
    head, _, loop = RIGHT.strip().partition("\n\nrng")
    first, second = f"%matplotlib inline\n!pip list\n{head}", f"%%time\nrng{loop}\nloss"
    path = notebook(tmp_path, first, "%%bash\nls", second.replace("(1 - h ** 2)", "(1 - h)"))
    result = call(path)
    assert result.exit_code == 1, result.output
    assert "first wrong line is cell 2, line 12: d_h = " in result.stdout
    assert "✗  cell 2, line 12  d_h" in result.stdout


def test_refusals_are_one_message(tmp_path):
    path = program(tmp_path, RIGHT)
    (tmp_path / "empty").mkdir()
    refused = (["--timeout=0"], ["--repair-time=nan"], ["--fix="], [f"--fix={tmp_path}/no/x.py"])
    wrong = ([path, *each] for each in refused)
    for arguments in ([tmp_path / "none.py"], [tmp_path / "empty"], *wrong, []):
        result = call(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1


def test_what_a_program_says_cannot_move_the_cursor(tmp_path):
    result = call(program(tmp_path, "raise ValueError('\\x1b[2J' + 'gone')"))
    assert result.exit_code == 2
    assert "\x1b" not in result.stdout
    assert r"\x1b[2Jgone" in result.stdout


def test_a_loop_around_one_that_is_right_is_not_followed_as_well(tmp_path: Path) -> None:
    program, results = tmp_path / "program.py", tmp_path / "results"
    results.mkdir()
    program.write_text(
        "import numpy as np\n"
        "x, w, rate = np.array([1.0, 2.0]), np.array([0.5, -0.5]), 0.1\n"
        "for epoch in range(5):\n"
        "    for target in (1.0, 2.0, 3.0, 4.0):\n"
        "        loss = (w @ x - target) ** 2\n"
        "        w = w - rate * 2 * (w @ x - target) * x\n"
        "    print(epoch, loss)\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "chainrule.check.running", str(program), str(results)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)
    found = sorted(path.stem for path in results.glob("*-*.json"))
    assert found == ["4-0", "4-3"]


def test_whole_parts_and_remainders_of_followed_numbers(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import numpy as np\n"
        "x, w, every, rate = np.array([1.0, 2.0]), np.array([0.5, -0.5]), 2.0, 0.1\n"
        "for i in range(6):\n"
        "    loss = np.sum((w * x - 1) ** 2)\n"
        "    w = w - rate * 2 * (w * x - 1) * x\n"
        "    if i % every == 0 and i // every < 5 and divmod(i, every)[1] == 0:\n"
        "        print(i, loss)\n",
        encoding="utf-8",
    )
    check = check_program(program)
    assert (check.verdict, check.loss) == ("exact", "loss")
