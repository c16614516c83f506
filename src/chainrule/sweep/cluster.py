"""A sweep on a Dask cluster: chunks go to workers, and one process writes what comes back.

A worker that dies takes its chunk with it, and Dask gives that to another; as the results of a
chunk depend on the chunk alone, each run is there once, whoever did it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chainrule.errors import SettingError
from chainrule.sweep.chunks import Chunk, Results, train_chunk
from chainrule.sweep.plan import Plan
from chainrule.sweep.running import Progress, Sizes, Sweep
from chainrule.sweep.store import Store
from chainrule.training.interruption import interruptible
from chainrule.training.recipes import Recipe

__all__ = ["local_cluster", "run_on_cluster"]

_SECONDS_BETWEEN_LOOKS = 0.05
_WAITING_EACH = 2
"""Chunks given out for each worker thread: one in training, and one to go on with."""


def _dask() -> Any:
    try:
        import distributed
    except ImportError:
        raise SettingError(
            "--workers and --cluster need Dask, which is not installed: pip install "
            "'chainrule[cluster]'."
        ) from None
    return distributed


@contextmanager
def local_cluster(workers: int) -> Generator[Any]:
    """A cluster of so many processes on this machine, each with one thread; its client."""
    distributed = _dask()
    cluster = distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@contextmanager
def connected(address: str) -> Generator[Any]:
    """The client of a cluster that runs already.

    Raises SettingError where none answers.
    """
    distributed = _dask()
    try:
        client = distributed.Client(address, timeout="10s")
    except (OSError, ValueError, TypeError) as error:
        raise SettingError(
            f"There is no Dask scheduler at {address} ({error}). Start one with dask scheduler, or "
            "use --workers N."
        ) from None
    with client:
        yield client


def _train(recipe: dict[str, Any], chunk: tuple[int, int, int], goal: float) -> Results:
    """A chunk, in a worker; Dask does it again elsewhere if the worker ends meanwhile."""
    results = train_chunk(Recipe.from_json(recipe), Chunk(*chunk), goal, threads=1)
    if results is None:
        raise RuntimeError("the chunk was interrupted")
    return results


def run_on_cluster(
    plan: Plan, folder: Path, client: Any, progress: Progress | None = None
) -> Sweep:
    """Do what is still to do of a sweep on a cluster, and keep it in a folder here."""
    store = Store(folder, plan)
    began = time.monotonic()
    gaps = list(store.gaps())
    done = plan.runs - sum(gap.count for gap in gaps)
    start, sizes = done, Sizes()
    source = _chunks(gaps, sizes)
    waiting: dict[Any, Chunk] = {}
    with interruptible() as interruption:
        while True:
            room = _WAITING_EACH * max(1, sum(client.nthreads().values())) - len(waiting)
            for _ in range(room if not interruption.asked else 0):
                chunk = next(source, None)
                if chunk is None:
                    break
                waiting[_submitted(client, plan, chunk)] = chunk
            if not waiting or interruption.asked:
                break
            for future in [each for each in waiting if each.done()]:
                del waiting[future]
                results = future.result()
                store.write(results)
                sizes.learn(results)
                done += len(results)
                if progress is not None:
                    progress(done, plan.runs)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        interrupted = bool(waiting)
        for future in waiting:
            future.cancel()
    return Sweep(plan, store, time.monotonic() - began, done - start, interrupted)


def _submitted(client: Any, plan: Plan, chunk: Chunk) -> Any:
    return client.submit(
        _train,
        plan.settings[chunk.setting].to_json(),
        (chunk.setting, chunk.first, chunk.count),
        plan.goal,
        pure=False,
        retries=3,
    )


def _chunks(gaps: Sequence[Chunk], sizes: Sizes) -> Iterator[Chunk]:
    """What is to do, in chunks whose size is chosen when each is given out."""
    for gap in gaps:
        at, end = gap.first, gap.first + gap.count
        while at < end:
            count = min(sizes.of(gap.setting), end - at)
            yield Chunk(gap.setting, at, count)
            at += count
