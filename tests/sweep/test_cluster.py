"""A sweep on a real Dask cluster of this machine; one of its workers is killed in the middle."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from chainrule.errors import SettingError
from chainrule.sweep import run_sweep
from chainrule.sweep.plan import grid_of
from chainrule.training.recipes import Recipe

pytest.importorskip("distributed")

from chainrule.sweep.cluster import connected, local_cluster, run_on_cluster

# Dask's own threads and sockets are closed a moment after the test that used them.
pytestmark = pytest.mark.filterwarnings("ignore")
PLAN = grid_of(Recipe("xor"), {"hidden": [(2,), (3,)]}, first=0, count=3000, goal=0.01)


@pytest.fixture(scope="module")
def cluster() -> Any:
    with local_cluster(2) as client:
        yield client


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Any:
    return run_sweep(PLAN, tmp_path_factory.mktemp("here")).frame().drop("seconds")


def test_workers_give_the_bits_of_one_process(tmp_path, cluster, expected):
    seen: list[int] = []
    done = run_on_cluster(PLAN, tmp_path, cluster, lambda done, runs: seen.append(done))
    assert (done.new, done.interrupted) == (6000, False)
    assert done.frame().drop("seconds").equals(expected)
    assert seen == sorted(seen)
    assert seen[-1] == 6000
    # Nothing is left to do, also not for one process.
    assert run_sweep(PLAN, tmp_path).new == 0


def test_every_result_is_there_once_though_a_worker_is_killed(tmp_path, cluster, expected):
    killed: list[int] = []

    def kill() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and len(list(tmp_path.glob("*.parquet"))) < 2:
            time.sleep(0.01)
        pid = next(iter(cluster.run(os.getpid).values()))
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    done = run_on_cluster(PLAN, tmp_path, cluster)
    killer.join()
    assert killed
    assert killed[0] not in cluster.run(os.getpid).values()
    frame = done.frame()
    assert frame["seed"].to_list() == [*range(3000)] * 2
    assert frame.drop("seconds").equals(expected)
    spans = [part.stem.split("-")[1:] for part in tmp_path.glob("*.parquet")]
    assert sum(int(count) for _, _, count in spans) == 6000


def test_a_cluster_that_is_not_there_is_told():
    with (
        pytest.raises(SettingError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass
