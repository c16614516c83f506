"""Ctrl-C: the first ends the run after its step, the second ends the program."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from chainrule import Network, train
from chainrule.training.interruption import interruptible

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent to processes")

TRAINING = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent may ignore it
    import numpy as np
    from chainrule import Network, train

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 3)), rng.normal(size=(400, 2))
    network = Network([3, 4, 2])

    def told(epoch):
        if epoch.number == 0:
            print("running", flush=True)

    {more}
    run = train(network, X, y, epochs=10**9, batch_size=3, callbacks=told)
    state = run.state
    print(run.stopped, state.epoch * 134 + state.batch == state.updates > 0, state.batch < 134)
    more = train(network, X, y, epochs=state.epoch + 1, batch_size=3, resume=run)
    whole = train(network, X, y, epochs=state.epoch + 1, batch_size=3)
    print(more.history == whole.history, all(
        more.parameters[name].tobytes() == value.tobytes()
        for name, value in whole.parameters.items()
    ))
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def started(more=""):
    """A process in the middle of a run that would never end."""
    script = textwrap.dedent(TRAINING).replace("{more}", more)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def test_the_first_ends_the_run_and_gives_what_was_learned():
    process = started()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert output.splitlines() == ["interrupted True True", "True True", "True"]
    assert process.returncode == 0


def test_the_second_ends_the_program():
    # A callback that takes its time: the first Ctrl-C waits for the epoch to end.
    more = "import time; slow = told; told = lambda epoch: (slow(epoch), time.sleep(30))[0]"
    process = started(more)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    assert output == ""
    assert errors.strip().endswith("KeyboardInterrupt")
    assert process.returncode != 0


def small():
    X = np.linspace(-1, 1, 8).reshape(4, 2)
    return Network([2, 3, 1]), X, X[:, :1]


def press(epoch):
    if epoch.number == 2:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def handled(monkeypatch):
    """SIGINT as Python has it, whatever the tests were started with."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("handled")
def test_what_was_learned_is_kept_and_the_handler_is_put_back():
    run = train(*small(), epochs=50, callbacks=press)
    assert (run.stopped, run.epochs) == ("interrupted", 3)
    assert run.history == train(*small(), epochs=3).history
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("handled")
def test_a_handler_of_ones_own_is_put_back():
    calls = []

    def own(number, frame):
        calls.append(number)

    signal.signal(signal.SIGINT, own)
    assert train(*small(), epochs=50, callbacks=press).stopped == "interrupted"
    assert calls == []
    assert signal.getsignal(signal.SIGINT) is own


@pytest.mark.usefixtures("handled")
def test_a_process_that_ignores_it_goes_on_ignoring_it():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert train(*small(), epochs=5, callbacks=press).stopped == "epochs"
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("handled")
def test_lbfgs_is_interrupted_after_an_iteration():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    run = train(Network([2, 5, 1]), X, y, optimizer="lbfgs", epochs=50, callbacks=press)
    assert (run.stopped, run.epochs) == ("interrupted", 3)


@pytest.mark.usefixtures("handled")
def test_a_second_press_in_the_same_process():
    def twice(epoch):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        train(*small(), epochs=5, callbacks=twice)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_training_in_another_thread():
    runs = []

    def work():
        runs.append(train(*small(), epochs=5))
        with interruptible() as interruption:
            runs.append(interruption.asked)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    run, asked = runs
    assert run.history == train(*small(), epochs=5).history
    assert asked is False
    assert signal.getsignal(signal.SIGINT) is before


def test_two_runs_at_once_in_threads_do_not_disturb_each_other():
    expected = train(*small(), epochs=200).history
    found = []

    def work():
        found.append(train(*small(), epochs=200).history)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(history == expected for history in found)
