"""Work in the background. The queue's tables are defined only where a worker runs or a task is queued."""

from functools import cache as _once


@_once
def host_scheduler():
    """web2py's Scheduler, on a connection of its own; several workers may share the queue."""
    from gluon.scheduler import Scheduler

    queue = DAL(settings["database_uri"], pool_size=0, migrate_enabled=first_start_due is not None, check_reserved=None)
    return Scheduler(queue, migrate=first_start_due is not None)


if request.is_scheduler or first_start_due:
    host_scheduler()
