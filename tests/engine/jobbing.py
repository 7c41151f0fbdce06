"""A process that does a job's step, and can be held up on the way: `python jobbing.py '{json}'`.

Not collected: test_jobs_running.py starts it. `pause` is where a callback of the host stops it: "reading" or "writing", and
there it prints a line and sleeps in Python, or with `sleep` in a statement of the database. At the end it prints the state.
"""

import json
import sys
import time
from pathlib import Path

from pydal import DAL, Field

from plugin_sync.instances import Instance
from plugin_sync.jobs import Imports
from plugin_sync.schema import define_tables
from plugin_sync.settings import Settings

OWN = Instance("a1b2", "a1b20000-0000-4000-8000-000000000000", "Jacmel", is_self=True)
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT max(i) FROM n"
SLEEP = {"sqlite": COUNT, "postgres": "SELECT pg_sleep(100)", "mysql": "SELECT SLEEP(100)"}


def connect(uri: str, folder: str, migrate: bool = False) -> DAL:
    options = {"driver_args": {"timeout": 30}} if uri.startswith("sqlite") else {}
    db = DAL(uri, folder=folder, pool_size=0, attempts=1, migrate_enabled=migrate, **options)
    db.define_table("org_office", Field("uuid", length=64), Field("name"), Field("modified_on", "datetime"))
    define_tables(db)
    db.commit()
    return db


def imports_of(db: DAL, folder: str) -> Imports:
    return Imports(db, Path(folder, "imports"), Settings(uuid_only=True), OWN, lambda: "a1b2-new")


def hold_up(db: DAL, pause: str, in_database: bool) -> None:
    """Stop, once, in the first callback of a phase."""
    stopped = []

    def stop(*_arguments: object) -> None:
        if stopped:
            return
        stopped.append(True)
        print(pause, flush=True)
        if in_database:
            db.executesql(SLEEP[db._adapter.dbengine])
        else:
            time.sleep(100)

    if pause == "writing":
        db.org_office._after_insert.append(stop)
    elif pause == "comparing":
        db.org_office._before_insert.append(stop)


def main(uri: str, folder: str, job: str, pause: str = "", in_database: bool = False) -> None:
    db = connect(uri, folder)
    hold_up(db, pause, in_database)
    print(imports_of(db, folder).run(job).state, flush=True)
    db.close()


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
