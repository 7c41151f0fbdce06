"""The page Settings: what its form asks for, and how the schedule stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..jobs import Every, Plan, has_worker, next_run, plan_of
from ..options import MOST_DAYS, Options, days_of
from ..policies import Policy
from ..texts import Texts
from .forms import Errors, Vars


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form asks for: the settings, with the plan of the schedule in them, and what is wrong with it."""

    options: Options
    plan: Plan
    errors: Errors


@dataclass(frozen=True, slots=True)
class Schedule:
    """Whether there is a scheduler, whether anybody works for it, and when it makes files next, in UTC."""

    can_schedule: bool
    has_worker: bool
    next_run: datetime | None


def read_schedule(scheduler: Any) -> Schedule:
    """Return how the schedule stands with web2py's Scheduler; None is none."""
    if scheduler is None:
        return Schedule(False, False, None)
    return Schedule(True, has_worker(scheduler), next_run(scheduler))


def read_wanted(post: Vars, now: Options, clock: datetime, texts: Texts) -> Wanted:
    """Return what a form asks for, `now` being in force; `clock` is the server's own time."""
    T, plan = texts.translate, plan_of(now.schedule)
    errors: Errors = []
    if post.get("policy") not in tuple(Policy):
        errors.append(("policy", T("Choose what happens to a record that is already here")))
    days = days_of(post.get("retention_days") or "")
    if days is None:
        errors.append(("retention_days", T("Enter how many days files are kept, from 1 to %s", MOST_DAYS)))
    asked = _plan(post, plan)
    if asked is None:
        errors.append(("first", T("Enter a day and a time, for example 2026-05-02T02:00")))
    elif not errors and asked != plan and asked.every is not Every.MANUAL and asked.start(clock) is None:
        errors.append(("first", T("Enter a day and a time that are still to come")))
    asked = asked or plan
    policy, days = post.get("policy") or "", days or now.retention_days
    return Wanted(Options(policy, _table_policies(post, now), days, asked.to_dict()), asked, errors)


def _plan(post: Vars, plan: Plan) -> Plan | None:
    """The plan that a form asks for; None when its time is none."""
    try:
        first = datetime.fromisoformat(post["first"]) if post.get("first") else None
        return Plan(Every(post.get("every") or plan.every), first)
    except ValueError:
        return None


def _table_policies(post: Vars, now: Options) -> dict[str, str]:
    """The policies of single tables: those there are, as the form has them, and a new one."""
    asked = [(name, post.get(f"policy_{name}")) for name in now.table_policies]
    asked.append((post.get("new_table") or "", post.get("new_policy")))
    return {name: policy for name, policy in asked if name and policy in tuple(Policy)}
