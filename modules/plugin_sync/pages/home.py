"""What the home page shows: what waits for somebody, and what was exchanged lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import history
from ..charts import Chart
from ..history import Entry, Filters, Needs
from ..instances import Instance, own_instance
from ..jobs import Imports, Job, State, last_jobs
from ..texts import Texts
from .pictures import records_chart

BEGUN = (State.CHECKED, State.QUEUED, State.RUNNING, State.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Home:
    """The own instance, imports that were begun, what needs somebody, the last export (or none), records by day."""

    instance: Instance
    waiting: list[Job]
    needs: Needs
    exported: list[Entry]
    chart: Chart


def read_home(db: Any, imports: Imports, now: datetime, texts: Texts) -> Home:
    """Return what the home page shows; a file that was checked and would change nothing does not wait for anybody."""
    begun = [imports.look(job.uuid) for job in last_jobs(db, "import", *BEGUN, limit=10)]
    interrupted = sum(job.state is State.INTERRUPTED for job in begun)
    days = Filters().days(now.date())
    return Home(
        instance=own_instance(db),
        waiting=[job for job in begun if job.state is not State.CHECKED or (job.check and job.check.counts.written)],
        needs=history.needs(db, interrupted, now),
        exported=history.read_entries(db, Filters(direction="export", result="done"), size=1),
        chart=records_chart(history.records_by_day(db, days), days, texts),
    )
