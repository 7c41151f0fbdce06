"""A process that imports a file and is killed on the way, or waits for another: `python importing.py '{json}'`.

Not collected: test_failures.py starts it. It prints the number of statements it ran, once it is done.
"""

import io
import json
import os
import signal
import sys
from itertools import count
from pathlib import Path

from pydal import DAL, Field

from plugin_sync import import_csv
from plugin_sync.stores.registry import open_store


def define(db):
    db.define_table("org", Field("uuid", length=64, unique=True), Field("name", length=64), Field("up", "reference org"))
    db.define_table("person", Field("uuid", length=64), Field("org", "reference org"), Field("modified_on", "datetime"))
    db.define_table("link", Field("person", "reference person"), Field("role", length=64))


def connect(uri: str, folder: str, migrate: bool = False) -> DAL:
    db = DAL(uri, folder=folder, pool_size=0, attempts=1, migrate_enabled=migrate)
    define(db)
    return db


class Killer:
    """Ends the process without a word at the statement of a number, before or after it is run."""

    def __init__(self, at: int | None):
        self.numbers, self.at = count(1), at
        self.seen = 0

    def before(self, *_statement: object) -> None:
        self.seen = next(self.numbers)
        if self.seen == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def watch(db: DAL, killer: Killer) -> None:
    """Count the statements of a connection: SQLite tells them itself, the other stores' sessions are wrapped."""
    if db._adapter.dbengine == "sqlite":
        db._adapter.connection.set_trace_callback(killer.before)
        return
    session = type(open_store(db).session)
    for name in ("run", "rows", "load"):
        setattr(session, name, counted(getattr(session, name), killer))


def counted(method, killer: Killer):
    """Wrap a method that runs one statement."""

    def run(*arguments, **options):
        killer.before()
        return method(*arguments, **options)

    return run


def main(uri: str, folder: str, file: str, kill_at: int | None = None, start: str | None = None) -> None:
    db = connect(uri, folder)
    killer = Killer(kill_at)
    watch(db, killer)
    if start is not None:  # both processes wait here: opening a pipe to read blocks until somebody opens it to write
        print("ready", flush=True)
        Path(start).read_bytes()
    report = import_csv(db, io.BytesIO(Path(file).read_bytes()), "theirs")
    killer.before()
    db.commit()
    killer.before()
    print(json.dumps({"statements": killer.seen, "new": report.counts.new, "same": report.counts.same}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
