"""Databases of their own, made and dropped by the benchmark: empty tables, or tables that hold a data set.

`restore` brings back a known state before each measurement: by copying a file, or the database's own template.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

from data import Dataset, Expected
from schema import COLUMNS, PERSON_TABLE, open_pydal

CHECK = f"SELECT count(*), coalesce(sum(number), 0), coalesce(sum(parent_id), 0) FROM {PERSON_TABLE}"


class Sqlite:
    """A file; the states are files too."""

    engine = "sqlite"
    driver_args: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "sqlite"
        self.folder.mkdir()
        self.path = self.folder / "run.sqlite"
        self.uri = f"sqlite://{self.path}"
        self.connection: dict[str, Any] = {"database": str(self.path)}
        open_pydal(f"sqlite://{self.folder / 'empty.sqlite'}", str(self.folder), {}, migrate=True).close()

    def restore(self, state: str, dataset: Dataset) -> None:
        """Bring back empty tables, or those that hold the base rows."""
        source = self.folder / f"{state}.sqlite"
        if state == "full":
            source = self.folder / f"full-{dataset.size}.sqlite"
            if not source.exists():
                self._fill(source, dataset)
        shutil.copyfile(source, self.path)

    def _fill(self, path: Path, dataset: Dataset) -> None:
        from contenders.raw_sqlite import load

        shutil.copyfile(self.folder / "empty.sqlite", path)
        connection = sqlite3.connect(path)
        for table, file in dataset.raw("base").items():
            load(connection, table, file)
        connection.commit()
        connection.close()

    def holds(self) -> Expected:
        """Return what the people's table holds."""
        connection = sqlite3.connect(self.path)
        try:
            return Expected(*connection.execute(CHECK).fetchone())
        finally:
            connection.close()

    def drop(self) -> None:
        """Nothing: the folder goes as a whole."""


class Postgres:
    """A server's database, copied from templates. Where it is: PG_HOST, PG_PORT, PG_USER."""

    engine = "postgres"
    driver_args: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        import psycopg2

        self.folder = folder
        self.name = f"plugin_sync_bench_{os.getpid()}"
        self.server = {
            "host": os.environ.get("PG_HOST", "127.0.0.1"),
            "port": int(os.environ.get("PG_PORT", "5432")),
            "user": os.environ.get("PG_USER", "postgres"),
        }
        self.connection: dict[str, Any] = {**self.server, "dbname": self.name}
        self.uri = self._uri(self.name)
        self.connect = psycopg2.connect
        self._made = [self.name]
        self._create("empty", None)

    def _uri(self, name: str) -> str:
        return "postgres://{user}@{host}:{port}/{name}".format(**self.server, name=name)

    def _administer(self, *statements: str) -> None:
        """Run statements that no transaction may hold."""
        connection = self.connect(**self.server, dbname="postgres")
        connection.autocommit = True
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()

    def _create(self, state: str, dataset: Dataset | None) -> None:
        """Make the template of a state."""
        from contenders.raw_postgres import load

        name = f"{self.name}_{state}"
        self._made.append(name)
        self._administer(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        open_pydal(self._uri(name), str(self.folder), {}, migrate=True).close()
        if dataset is None:
            return
        connection = self.connect(**self.server, dbname=name)
        load(connection, dataset.raw("base"))
        for table in COLUMNS:
            connection.cursor().execute(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")
        connection.commit()
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE")
        connection.close()

    def restore(self, state: str, dataset: Dataset) -> None:
        """Bring back empty tables, or those that hold the base rows."""
        if state == "full":
            state = f"full_{dataset.size}"
            if f"{self.name}_{state}" not in self._made:
                self._create(state, dataset)
        drop = f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)"
        self._administer(drop, f"CREATE DATABASE {self.name} TEMPLATE {self.name}_{state}", "CHECKPOINT")

    def holds(self) -> Expected:
        """Return what the people's table holds."""
        connection = self.connect(**self.connection)
        try:
            cursor = connection.cursor()
            cursor.execute(CHECK)
            return Expected(*cursor.fetchone())
        finally:
            connection.close()

    def drop(self) -> None:
        """Drop the database and its templates."""
        self._administer(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in self._made))


class Mysql:
    """A server's database, filled from others. Where it is: MY_HOST, MY_PORT, MY_USER, MY_PASSWORD."""

    engine = "mysql"
    driver_args: dict[str, Any] = {"local_infile": True}  # noqa: RUF012  # as the documentation tells hosts to set it

    def __init__(self, folder: Path) -> None:
        import pymysql

        self.folder = folder
        self.name = f"plugin_sync_bench_{os.getpid()}"
        self.server = {
            "host": os.environ.get("MY_HOST", "127.0.0.1"),
            "port": int(os.environ.get("MY_PORT", "3306")),
            "user": os.environ.get("MY_USER", "root"),
            "password": os.environ.get("MY_PASSWORD", ""),
        }
        self.connection: dict[str, Any] = {**self.server, "database": self.name, "charset": "utf8mb4"}
        self.uri = self._uri(self.name)
        self.connect = pymysql.connect
        self._made = [self.name]

    def _uri(self, name: str) -> str:
        place = "mysql:pymysql://{user}:{password}@{host}:{port}/".format(**self.server)
        return f"{place}{name}?set_encoding=utf8mb4"

    def _administer(self, *statements: str) -> None:
        connection = self.connect(**self.server, autocommit=True)
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()

    def _create(self, name: str) -> None:
        """Make a database with empty tables."""
        create = f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
        self._administer(f"DROP DATABASE IF EXISTS {name}", create)
        for left in self.folder.glob("*.table"):  # pyDAL's memory of having made the tables
            left.unlink()
        open_pydal(self._uri(name), str(self.folder), {}, migrate=True).close()

    def _fill(self, name: str, dataset: Dataset) -> None:
        from contenders.raw_mysql import load

        self._made.append(name)
        self._create(name)
        connection = self.connect(**self.server, database=name, charset="utf8mb4", local_infile=True)
        load(connection, dataset.raw("base"))
        connection.commit()
        connection.close()

    def restore(self, state: str, dataset: Dataset) -> None:
        """Bring back empty tables, or those that hold the base rows."""
        self._create(self.name)
        if state == "full":
            full = f"{self.name}_full_{dataset.size}"
            if full not in self._made:
                self._fill(full, dataset)
            copies = [f"INSERT INTO {self.name}.{table} SELECT * FROM {full}.{table}" for table in COLUMNS]
            analyse = [f"ANALYZE TABLE {self.name}.{table}" for table in COLUMNS]
            self._administer("SET foreign_key_checks = 0", *copies, *analyse)

    def holds(self) -> Expected:
        """Return what the people's table holds."""
        connection = self.connect(**self.connection)
        try:
            cursor = connection.cursor()
            cursor.execute(CHECK)
            people, numbers, parents = cursor.fetchone()
            return Expected(people, int(numbers), int(parents))
        finally:
            connection.close()

    def drop(self) -> None:
        """Drop the databases."""
        self._administer(*(f"DROP DATABASE IF EXISTS {name}" for name in self._made))


DATABASES = {"sqlite": Sqlite, "postgres": Postgres, "mysql": Mysql}
