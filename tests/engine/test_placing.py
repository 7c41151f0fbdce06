"""Where a job begins: at a worker, where there is one and the job takes its time, else in this process."""

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest

from plugin_sync.jobs import Job, State, Step, placing

LARGE = Job(
    "u", "import", State.QUEUED, Step.CHECK, "a.csv", "", placing.SMALL_BYTES, "newer", "", (), None,
    datetime(2026, 5, 2), None, None, None, None, None,
)  # fmt: skip
SYNC = replace(LARGE, kind="sync", step=Step.SYNC, size_bytes=0, wish={"extent": "changes"})


@pytest.mark.parametrize(
    ("job", "scheduler", "workers", "place"),
    [
        (LARGE, True, True, "worker"),
        (LARGE, True, False, "here"),
        (LARGE, False, True, "here"),
        (replace(LARGE, size_bytes=placing.SMALL_BYTES - 1), True, True, "here"),
        (replace(SYNC, wish={"extent": "all"}), True, True, "worker"),
        (SYNC, True, True, "here"),
    ],
)
def test_a_job_begins_where_it_is_done_soonest(monkeypatch, job, scheduler, workers, place):
    begun = []
    monkeypatch.setattr(placing, "has_worker", lambda found: workers)
    monkeypatch.setattr(placing, "hand_over", lambda found, task, uuid: begun.append(("worker", task, uuid)))
    thread = SimpleNamespace(join=lambda seconds: begun.append(("here", seconds)))
    placing.begin(job, (lambda: "the scheduler") if scheduler else None, "run", lambda: thread)
    assert begun == [("worker", "run", "u") if place == "worker" else ("here", placing.MOMENT_S)]
