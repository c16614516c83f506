"""Checkpoints that a killed process, a full disk or a damaged file leaves."""

import contextlib
import json
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from chainrule import Network, train
from chainrule.errors import ModelFileError
from chainrule.training import files
from chainrule.training.checkpoints import read_checkpoint

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def run_script(script, *arguments):
    """A program's standard output, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **ONE_THREAD},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


KILLING = """
    import json, os, random, signal, sys, time
    from pathlib import Path
    import numpy as np
    from chainrule import Network, train
    from chainrule.training.checkpoints import read_checkpoint

    path, kills = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    network = Network([3, 40, 2], dropout=0.1)
    settings = dict(batch_size=4, validation=0.2, schedule="adaptive", learning_rate=0.001)

    def run(epochs, **more):
        return train(network, X, y, epochs=epochs, **settings, **more)

    run(1)  # imports and traces, so that the children start at once
    draw = random.Random(3)
    updates, leftovers = [0], 0
    for _ in range(kills):
        child = os.fork()
        if not child:
            resume = path if path.exists() else None
            run(10**9, checkpoint=path, checkpoint_every=0, resume=resume)
            os._exit(0)
        time.sleep(draw.uniform(0.02, 0.09))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        leftovers += len(list(path.parent.glob("*.part")) + list(path.parent.glob(".*.part")))
        if path.exists():
            updates.append(read_checkpoint(path).state.updates)
    found = read_checkpoint(path)
    epochs = found.state.epoch + 1
    resumed = run(epochs, checkpoint=path, resume=path)
    whole = run(epochs)
    print(json.dumps({
        "updates": updates,
        "leftovers": leftovers,
        "epochs": epochs,
        "batch": found.state.batch,
        "files": sorted(entry.name for entry in path.parent.iterdir()),
        "same": all(
            resumed.parameters[name].tobytes() == value.tobytes()
            for name, value in whole.parameters.items()
        ) and resumed.history == whole.history,
    }))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to be killed")
def test_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    result = json.loads(run_script(KILLING, tmp_path / "run.checkpoint", 30))
    assert len(result["updates"]) > 20
    assert result["updates"] == sorted(result["updates"])  # never further back than the last kill
    assert result["updates"][-1] > result["updates"][1]
    assert result["same"]
    assert result["files"] == ["run.checkpoint"]  # and what the killed ones left is gone


def small_run(path, **arguments):
    X = np.linspace(-1, 1, 8).reshape(4, 2)
    return train(Network([2, 3, 1]), X, X[:, :1], epochs=2, checkpoint=path, **arguments)


# Temporary files.


def test_abandoned_temporary_files_are_removed_and_others_are_not(tmp_path):
    path = tmp_path / "run.checkpoint"
    abandoned = tmp_path / ".run.checkpoint.0123456789ab.part"
    other = tmp_path / ".other.checkpoint.0123456789ab.part"
    for file in (abandoned, other):
        file.write_bytes(b"half a file")
    with files.written_whole(path) as mine:
        mine.write_bytes(b"first")
        # A writer at work is not disturbed by another one.
        with files.written_whole(path) as theirs:
            theirs.write_bytes(b"second")
        assert mine.exists()
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [other.name, path.name]


def test_without_locks_only_old_files_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    path = tmp_path / "file"
    fresh, old = tmp_path / ".file.aaa.part", tmp_path / ".file.bbb.part"
    for file in (fresh, old):
        file.write_bytes(b"")
    os.utime(old, (0, 0))
    files.write_text(path, "ä")
    assert path.read_text(encoding="utf-8") == "ä"
    assert fresh.exists()
    assert not old.exists()


def test_writing_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "before")

    def fail_halfway():
        with files.written_whole(path) as temporary:
            temporary.write_text("half")
            raise LookupError

    with pytest.raises(LookupError):
        fail_halfway()
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_file_written_is_as_open_to_others_as_any_new_file(tmp_path):
    files.write_text(tmp_path / "ours", "")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)
    files.write_text(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"


# Places that cannot be written to.


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path
    import numpy as np
    from chainrule import Network, train
    from chainrule.errors import ModelFileError

    path = Path(sys.argv[1])
    X = np.linspace(-1, 1, 2000).reshape(1000, 2)
    network = Network([2, 30, 1])
    train(network, X, X[:, :1], epochs=2, checkpoint=path)
    before = path.read_bytes()
    # A file may not be larger than this from now on, as on a disk that is nearly full.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        train(network, X, X[:, :1], epochs=4, checkpoint=path)
    except ModelFileError as error:
        print(error)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
"""


def test_a_full_disk_is_one_clear_error_and_the_checkpoint_before_is_whole(tmp_path):
    pytest.importorskip("resource")
    path = tmp_path / "run.checkpoint"
    text = run_script(FULL_DISK, path).strip()
    assert text == (
        f"The checkpoint {path} cannot be written (File too large). The one before is still whole. "
        "Free some space, or name a place that can be written to."
    )
    assert read_checkpoint(path).state.epoch == 2


def refused(path):
    """The error of a run whose checkpoint goes there; training must not have begun."""

    def told(epoch):
        raise AssertionError("training has begun")

    with pytest.raises(ModelFileError) as caught:
        small_run(path, callbacks=told)
    return str(caught.value)


def test_a_place_that_cannot_be_written_to_is_found_before_training(tmp_path, monkeypatch):
    missing = tmp_path / "missing" / "run"
    assert refused(missing) == (
        f"The checkpoint {missing} cannot be written: there is no folder {missing.parent}. Make "
        "it first."
    )
    assert refused(tmp_path) == (f"{tmp_path} is a folder; a checkpoint is a file. Name one in it.")
    # An administrator may write anywhere, so the answer of the system is given here.
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    path = tmp_path / "run"
    assert refused(path) == (
        f"The checkpoint {path} cannot be written: the folder {tmp_path} may not be written to. "
        "Name another place."
    )


def test_a_disk_that_fails_later(tmp_path, monkeypatch):
    path = tmp_path / "run"

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(
        ModelFileError, match=r"cannot be written \(No space left on device\)\. Free"
    ):
        small_run(path)
    assert list(tmp_path.iterdir()) == []


# Damaged and foreign files.


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "run.checkpoint"
    small_run(path)
    return path.read_bytes()


def message(path):
    with pytest.raises(ModelFileError) as caught:
        read_checkpoint(path)
    text = str(caught.value)
    assert text.endswith(".")
    assert str(path) in text
    return text


def test_a_file_that_is_cut_off_anywhere(good, tmp_path):
    path = tmp_path / "run"
    lengths = {*range(64), *range(64, len(good), 37), *range(len(good) - 9, len(good))}
    for length in sorted(lengths):
        path.write_bytes(good[:length])
        assert "is damaged or not a chainrule checkpoint" in message(path)


def test_a_file_with_something_after_its_end(good, tmp_path):
    path = tmp_path / "run"
    path.write_bytes(good + b"\0")
    assert "is damaged or not a chainrule checkpoint" in message(path)


@given(st.data())
@settings(max_examples=300)
def test_a_file_in_which_any_byte_is_another(good, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "flipped"
    damaged = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, len(good) - 1))
        damaged[where] ^= data.draw(st.integers(1, 255))
    if bytes(damaged) == good:
        return
    path.write_bytes(damaged)
    found = None
    with contextlib.suppress(ModelFileError):
        found = read_checkpoint(path)
    if found is None:
        return
    # The only bytes without a meaning are those of the JSON's layout.
    path.write_bytes(good)
    expected = read_checkpoint(path)
    assert found.facts == expected.facts
    assert found.state.history == expected.state.history
    for a, b in zip(found.state.weights.leaves, expected.state.weights.leaves, strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_number_that_was_changed_is_noticed(good, tmp_path):
    path = tmp_path / "run"
    path.write_bytes(good.replace(b'\\"epoch\\": 2', b'\\"epoch\\": 3'))
    assert message(path) == (
        f"{path} is damaged: its checksum is not that of its contents. Use an earlier copy."
    )
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "its checksum is not that of its contents" in message(path)


def test_foreign_files(good, tmp_path):
    path = tmp_path / "run"
    assert message(path) == f"There is no file {path}."
    path.write_bytes(b"")
    assert "is damaged or not a chainrule checkpoint" in message(path)
    path.write_text('{"format": "chainrule checkpoint"}')
    assert "is damaged or not a chainrule checkpoint" in message(path)
    save_file({"W": np.ones(3)}, path)
    assert message(path) == (
        f"{path} is a safetensors file, but not a chainrule checkpoint: it says 'nothing' of its "
        "format."
    )
    save_file({}, path, {"format": "pt"})
    assert "it says 'pt' of its format" in message(path)
    assert message(tmp_path) == (
        f"{tmp_path} is a folder, not a chainrule checkpoint. Name the file in it."
    )


def test_a_newer_file(good, tmp_path):
    path = tmp_path / "run"
    path.write_bytes(good)
    arrays = load_file(path)
    files.write_tensors(path, arrays, {"format": "chainrule checkpoint", "version": "2"})
    assert message(path) == (
        f"{path} has version 2 of its format, and this chainrule reads up to 1. Install a newer "
        "chainrule."
    )
    files.write_tensors(path, arrays, {"format": "chainrule checkpoint", "version": "one"})
    assert message(path) == f"{path} does not say which version of its format it is."
    files.write_tensors(path, arrays, {"format": "chainrule checkpoint"})
    assert "does not say which version" in message(path)


class Bomb:
    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "run"
    path.write_bytes(pickle.dumps(Bomb()))
    assert "is damaged or not a chainrule checkpoint" in message(path)
    np.save(tmp_path / "objects", np.array([Bomb()], dtype=object), allow_pickle=True)
    assert "is damaged or not" in message(tmp_path / "objects.npy")
    assert not Bomb.exploded


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.pop("trees"), "KeyError: 'trees'"),
        (lambda data: data["numbers"].pop("epoch"), "KeyError: 'epoch'"),
        (lambda data: data["numbers"].update(sums=[1]), "cannot be understood (TypeError"),
        (lambda data: data["numbers"].update(columns=["x"]), "KeyError: 'history/x'"),
        (lambda data: data["trees"].update(best={"array": "none"}), "KeyError: 'none'"),
        (lambda data: data["trees"].update(best={"eval": "1"}), "ValueError: unknown kind 'eval'"),
        (lambda data: data["trees"].update(best=7), "cannot be understood (AttributeError"),
        (lambda data: data.update(facts=3), "cannot be understood (TypeError"),
        (
            lambda data: data["trees"].update(best={"class": ["os.system", []]}),
            "made of os.system, which is not at hand",
        ),
    ],
)
def test_contents_that_make_no_sense(good, tmp_path, change, words):
    path = tmp_path / "run"
    path.write_bytes(good)
    arrays, metadata = files.read_tensors(path, "chainrule checkpoint", 1)
    data = json.loads(metadata["state"])
    change(data)
    files.write_tensors(path, arrays, {**metadata, "state": json.dumps(data)})
    assert words in message(path)


def test_a_damaged_checkpoint_does_not_start_a_run(good, tmp_path):
    path = tmp_path / "run"
    path.write_bytes(good[:-5])
    with pytest.raises(ModelFileError, match="is damaged"):
        small_run(path, resume=path)
    assert path.read_bytes() == good[:-5]


def test_every_dtype_and_shape_comes_back(tmp_path):
    path = tmp_path / "arrays"
    arrays = {
        "float32": np.ones((2, 3), np.float32).T,
        "float64": np.array(np.pi),
        "int": np.arange(6)[::2],
        "bool": np.array([True, False]),
        "empty": np.zeros((0, 4)),
        "nan": np.array([np.nan, np.inf, -0.0]),
    }
    files.write_tensors(path, arrays, {"format": "f", "version": "1"})
    found, metadata = files.read_tensors(path, "f", 1)
    assert metadata == {"format": "f", "version": "1"}
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == np.ascontiguousarray(array).tobytes()
