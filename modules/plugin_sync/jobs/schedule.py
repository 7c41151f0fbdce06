"""When files of changes are made by themselves: one task in web2py's Scheduler, which does the waiting.

The plan is what an administrator wants, in the server's own time; the Scheduler's row is what will happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from ..errors import StoreError
from .placing import LONGEST_S
from .running import translated

TASK_UUID = "plugin_sync_outbox"
_WAITING = ("QUEUED", "ASSIGNED", "RUNNING")


class Every(StrEnum):
    """How often."""

    MANUAL = "manual"
    ONCE = "once"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


PERIODS: Mapping[Every, timedelta] = {
    Every.HOURLY: timedelta(hours=1),
    Every.DAILY: timedelta(days=1),
    Every.WEEKLY: timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, and the first time, in the server's own time; from there the others follow."""

    every: Every = Every.MANUAL
    first: datetime | None = None

    def start(self, now: datetime) -> datetime | None:
        """Return the next time that is not before `now`, both in the server's own time; None when there is none."""
        if self.every is Every.MANUAL or self.first is None:
            return None
        period = PERIODS.get(self.every)
        if period is None or self.first >= now:
            return self.first if self.first >= now else None
        return self.first + period * -((self.first - now) // period)

    def to_dict(self) -> dict[str, str | None]:
        """Return plain values, fit for JSON."""
        return {"every": self.every.value, "first": self.first.isoformat() if self.first else None}


def plan_of(saved: Mapping[str, Any] | None) -> Plan:
    """Return the plan that `Plan.to_dict` wrote; by hand when there is none."""
    if not saved:
        return Plan()
    return Plan(Every(saved["every"]), datetime.fromisoformat(saved["first"]) if saved.get("first") else None)


def set_plan(scheduler: Any, plan: Plan, task: str) -> None:
    """Let the Scheduler call the model's function `task` as the plan says, and no more as an earlier one said.

    Raises StoreBusy while the database is kept by another writer, StoreError when the Scheduler does not take the task.
    """
    start = plan.start(datetime.now().replace(microsecond=0))
    db, tasks = scheduler.db, scheduler.db.scheduler_task
    with translated(db):
        db(tasks.uuid == TASK_UUID).delete()
        if start is not None:
            period = PERIODS.get(plan.every)
            queued = scheduler.queue_task(
                task,
                uuid=TASK_UUID,
                start_time=_to_scheduler(scheduler, start),
                period=int(period.total_seconds()) if period else 0,
                repeats=0 if period else 1,
                retry_failed=-1 if period else 0,
                prevent_drift=True,
                timeout=LONGEST_S,
            )
            if not queued.id:
                db.rollback()
                raise StoreError(f"the Scheduler refused the task: {dict(queued.errors or {})}")
        db.commit()


def next_run(scheduler: Any) -> datetime | None:
    """Return when the Scheduler is to make files next, in UTC; None when it is not."""
    tasks = scheduler.db.scheduler_task
    row = scheduler.db((tasks.uuid == TASK_UUID) & tasks.status.belongs(_WAITING)).select(tasks.next_run_time).first()
    scheduler.db.commit()
    if row is None:
        return None
    moment: datetime = row.next_run_time
    return moment if scheduler.utc_time else moment.astimezone(UTC).replace(tzinfo=None)


def _to_scheduler(scheduler: Any, moment: datetime) -> datetime:
    """The server's own time as the Scheduler counts it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if scheduler.utc_time else moment
