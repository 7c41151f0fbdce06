"""MariaDB: a database filled from others. Where the server is: MY_HOST, MY_PORT, MY_USER, MY_PASSWORD."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pymysql
from contenders.raw_mysql import load
from data import Dataset, Expected
from schema import CHECK, COLUMNS, open_pydal


class Mysql:
    """One database, and one for each data set it is filled from."""

    engine = "mysql"
    driver_args: dict[str, Any] = {"local_infile": True}  # noqa: RUF012  # else the client refuses LOAD DATA LOCAL

    def __init__(self, folder: Path) -> None:
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
        self._made = [self.name]

    def _uri(self, name: str) -> str:
        place = "mysql:pymysql://{user}:{password}@{host}:{port}/".format(**self.server)
        return f"{place}{name}?set_encoding=utf8mb4"

    def _administer(self, *statements: str) -> None:
        connection = pymysql.connect(**self.server, autocommit=True)
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
        self._made.append(name)
        self._create(name)
        connection = pymysql.connect(**self.server, database=name, charset="utf8mb4", local_infile=True)
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
        connection = pymysql.connect(**self.connection)
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
