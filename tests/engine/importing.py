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


class Counting:
    """A driver's cursor whose statements are counted."""

    def __init__(self, cursor, killer: Killer):
        self._cursor, self._killer = cursor, killer

    def __getattr__(self, name):
        found = getattr(self._cursor, name)
        if not name.startswith(("execute", "copy")):
            return found

        def counted(*arguments, **options):
            self._killer.before()
            return found(*arguments, **options)

        return counted

    def __iter__(self):
        return iter(self._cursor)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._cursor.close()


class CountingConnection:
    """A driver's connection whose cursors are counted."""

    def __init__(self, connection, killer: Killer):
        self.__dict__["_connection"], self.__dict__["_killer"] = connection, killer

    def cursor(self, *arguments, **options):
        return Counting(self._connection.cursor(*arguments, **options), self._killer)

    def commit(self):
        self._killer.before()
        self._connection.commit()
        self._killer.before()

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def __setattr__(self, name, value):
        setattr(self._connection, name, value)


def watch(db: DAL, killer: Killer) -> None:
    """Count the statements of a connection: SQLite tells them itself, other drivers are wrapped."""
    adapter = db._adapter
    if adapter.dbengine == "sqlite":
        adapter.connection.set_trace_callback(killer.before)
        return
    adapter.connection = CountingConnection(adapter.connection, killer)
    adapter.cursor = adapter.connection.cursor()


def main(uri: str, folder: str, file: str, kill_at: int | None = None, start: str | None = None) -> None:
    db = connect(uri, folder)
    killer = Killer(kill_at)
    watch(db, killer)
    if start is not None:  # both processes wait here: opening a pipe to read blocks until somebody opens it to write
        print("ready", flush=True)
        Path(start).read_bytes()
    report = import_csv(db, io.BytesIO(Path(file).read_bytes()), "theirs")
    db.commit()
    killer.before()
    print(json.dumps({"statements": killer.seen, "new": report.counts.new, "same": report.counts.same}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
