"""Work in the background. The queue's tables are defined only where a worker runs or a task is queued."""

from functools import cache as _once


@_once
def host_scheduler():
    """web2py's Scheduler, on a connection of its own; several workers may share the queue.

    On SQLite a task's process is started afresh: one that is forked while the worker's heartbeat writes inherits SQLite's
    note that the database is locked, and waits for ever.
    """
    from gluon.scheduler import Scheduler

    queue = DAL(settings["database_uri"], pool_size=0, migrate_enabled=first_start_due is not None, check_reserved=None)
    return Scheduler(queue, migrate=first_start_due is not None, use_spawn=settings["database_uri"].startswith("sqlite"))


if request.is_scheduler or first_start_due:
    host_scheduler()
