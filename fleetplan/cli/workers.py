"""Where work on many cells is done: in this process, in processes on this machine, or on a Dask cluster that is there already."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from fleetplan.cells import Spread

RETRIES = 3
"""So often a cell is planned anew whose worker is gone."""


@contextmanager
def processes(jobs: int) -> Iterator[Spread]:
    """Up to so many processes on this machine; with one, this process does it."""
    if jobs == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - only who has several
    from multiprocessing import get_context  # noqa: PLC0415 - as above

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield pool.map


def usual_jobs() -> int:
    """As many as this process may use CPUs."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def cluster(address: str) -> Iterator[Spread]:
    """The workers of a Dask scheduler, which must have this version of fleetplan. What a lost worker had is done anew by others."""
    try:
        distributed = import_module("distributed")
    except ImportError as missing:
        told = "--scheduler needs Dask: pip install 'fleetplan[scale]'"
        raise click.UsageError(told) from missing
    try:
        client = distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as problem:
        told = f"no Dask scheduler answers at `{address}`: {problem}"
        raise click.ClickException(told) from problem
    with client:
        yield _spread(client, distributed)


def _spread(client: Any, distributed: Any) -> Spread:
    def spread(work: Callable[[Any], Any], values: Sequence[Any]) -> Iterator[Any]:
        # Every cell is sent for itself: equal cells must not become one task, and a task holds one cell's fleet, not all.
        tasks = [client.submit(work, value, pure=False, retries=RETRIES) for value in values]
        try:
            for task in tasks:
                yield task.result()
        except (distributed.KilledWorker, distributed.CancelledError) as gone:
            told = f"the cluster gave up: {gone}"
            raise click.ClickException(told) from gone
        finally:
            client.cancel(tasks)

    return spread
