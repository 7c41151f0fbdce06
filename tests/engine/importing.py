"""A process that imports a file and is killed on the way, or waits for another: `python importing.py '{json}'`.

Not collected: test_failures.py starts it. It prints the number of statements it ran, once it is done. Without an argument it
starts such processes: each line of its input is one's settings, and the answer its exit code.
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
from plugin_sync.stores import mysql, registry


def define(db):
    db.define_table("org", Field("uuid", length=64, unique=True), Field("name", length=64), Field("up", "reference org"))
    db.define_table("person", Field("uuid", length=64), Field("org", "reference org"), Field("modified_on", "datetime"))
    db.define_table("link", Field("person", "reference person"), Field("role", length=64))


def connect(uri: str, folder: str, migrate: bool = False, local_infile: bool = False) -> DAL:
    options = {"local_infile": True} if local_infile else {}
    db = DAL(uri, folder=folder, pool_size=0, attempts=1, migrate_enabled=migrate, driver_args=options)
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
    """Count the statements of a connection: SQLite tells them itself; what runs them elsewhere is wrapped."""
    if db._adapter.dbengine == "sqlite":
        db._adapter.connection.set_trace_callback(killer.before)
        return
    if not registry.STORES:
        db._adapter.execute = counted(db._adapter.execute, killer)
        return
    session = type(registry.open_store(db).session)
    for name in ("run", "rows", "load", "copy"):
        if hasattr(session, name):
            setattr(session, name, counted(getattr(session, name), killer))


def counted(method, killer: Killer):
    """Wrap a method that runs one statement."""

    def run(*arguments, **options):
        killer.before()
        return method(*arguments, **options)

    return run


def main(  # noqa: PLR0917  # what a process is told
    uri: str,
    folder: str,
    file: str,
    kill_at: int | None = None,
    start: str | None = None,
    infile: bool = False,
    portable: bool = False,
) -> None:
    if infile:
        mysql.FEW = 0
    if portable:
        registry.STORES.clear()
    db = connect(uri, folder, local_infile=infile)
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


def begin_each() -> None:
    """Start a process for each line: a copy of this one, in which everything is imported already."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            main(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(**json.loads(sys.argv[1]))
    else:
        begin_each()
