"""Where a job is done: by a worker of web2py's Scheduler when one is alive, else by a thread of this process.

Not in the request itself: no server lets a page's answer be whole before its generator has ended (with a length the browser
waits on the connection it keeps, and not every server lets an application close it).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from ..errors import StoreError
from .rows import SYNC, Job
from .running import translated

BEATS = 4  # a worker that missed so many heartbeats is gone
SMALL_BYTES = 1 << 20  # sooner done than queued: a worker looks for tasks every few seconds
MOMENT_S = 0.8  # a page may wait that long for a job that ends at once
LONGEST_S = 7 * 86_400  # the Scheduler would stop a task after a minute


def begin(job: Job, scheduler: Callable[[], Any] | None, task: str, start: Callable[[], threading.Thread]) -> None:
    """Let a waiting job begin: at a worker of `scheduler`, where there is one and the job takes its time, else by `start`.

    A thread is waited for a moment. Raises StoreError as `hand_over`, whose `task` is given.
    """
    found = scheduler() if scheduler is not None and not _is_small(job) else None
    if found is not None and has_worker(found):
        hand_over(found, task, job.uuid)
    else:
        start().join(MOMENT_S)


def _is_small(job: Job) -> bool:
    """Whether a job is sooner done than queued; all of an instance's data is not."""
    return job.wish.get("extent") != "all" if job.kind == SYNC else job.size_bytes < SMALL_BYTES


def has_worker(scheduler: Any) -> bool:
    """Whether a worker of web2py's Scheduler takes tasks."""
    workers = scheduler.db.scheduler_worker
    since = scheduler.now() - timedelta(seconds=BEATS * scheduler.heartbeat)
    alive = (workers.last_heartbeat > since) & workers.status.belongs(("ACTIVE", "PICK"))
    found = not scheduler.db(alive).isempty()
    scheduler.db.commit()
    return found


def hand_over(scheduler: Any, task: str, job_uuid: str) -> None:
    """Queue a job for the workers, who call the model's function `task` with its uuid; it may be called twice.

    Raises StoreError when the Scheduler does not take it: it says so by its answer alone.
    """
    with translated(scheduler.db):
        queued = scheduler.queue_task(task, [job_uuid], timeout=LONGEST_S, immediate=True)
        scheduler.db.commit()
    if not queued.id:
        raise StoreError(f"the Scheduler refused the task: {dict(queued.errors or {})}")


def in_thread(db: Any, work: Callable[[], object], surroundings: Any) -> threading.Thread:
    """Do `work` in a thread of its own, with the request's `db` and the values of `surroundings`, its thread-locals.

    pyDAL gives each thread a connection of its own; it is rolled back and given back at the end. The process does not
    end before the thread has.
    """
    values = dict(surroundings.__dict__)

    def run() -> None:
        surroundings.__dict__.update(values)
        try:
            work()
        finally:
            db._adapter.close("rollback")

    thread = threading.Thread(target=run, name="plugin_sync job")
    thread.start()
    return thread
