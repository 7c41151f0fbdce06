"""PostgreSQL: databases copied from templates. Where the server is: PG_HOST, PG_PORT, PG_USER."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg2
from contenders.raw_postgres import load
from data import Dataset, Expected
from schema import CHECK, COLUMNS, open_pydal


class Postgres:
    """One database, and a template for each state."""

    engine = "postgres"
    driver_args: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"plugin_sync_bench_{os.getpid()}"
        self.server = {
            "host": os.environ.get("PG_HOST", "127.0.0.1"),
            "port": int(os.environ.get("PG_PORT", "5432")),
            "user": os.environ.get("PG_USER", "postgres"),
        }
        self.connection: dict[str, Any] = {**self.server, "dbname": self.name}
        self.uri = self._uri(self.name)
        self._made = [self.name]
        self._create("empty", None)

    def _uri(self, name: str) -> str:
        return "postgres://{user}@{host}:{port}/{name}".format(**self.server, name=name)

    def _administer(self, *statements: str) -> None:
        """Run statements that no transaction may hold."""
        connection = psycopg2.connect(**self.server, dbname="postgres")
        connection.autocommit = True
        try:
            for statement in statements:
                connection.cursor().execute(statement)
        finally:
            connection.close()

    def _create(self, state: str, dataset: Dataset | None) -> None:
        """Make the template of a state."""
        name = f"{self.name}_{state}"
        self._made.append(name)
        self._administer(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        open_pydal(self._uri(name), str(self.folder), {}, migrate=True).close()
        if dataset is None:
            return
        connection = psycopg2.connect(**self.server, dbname=name)
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
        connection = psycopg2.connect(**self.connection)
        try:
            cursor = connection.cursor()
            cursor.execute(CHECK)
            return Expected(*cursor.fetchone())
        finally:
            connection.close()

    def drop(self) -> None:
        """Drop the database and its templates."""
        self._administer(*(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in self._made))
