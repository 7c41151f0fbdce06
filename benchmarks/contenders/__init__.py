"""Who is measured. One module each, with `prepare(task)`, which connects and returns the job that is timed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contender:
    """`modules` is the module by database engine; `sampled`: too slow for the whole size, does the sample's instead.

    `one_import`: the engines on which it can only fill empty tables; that figure stands for its other imports.
    `note` says what it does and does not check.
    """

    name: str
    modules: dict[str, str]
    note: str
    sampled: bool = False
    one_import: tuple[str, ...] = ()
    exports: bool = True

    def does(self, engine: str, operation: str) -> bool:
        """Whether it is measured in an operation on a database engine."""
        return engine in self.modules and (self.exports or operation != "export")


ENGINES = ("sqlite", "postgres", "mysql")
CONTENDERS = {
    c.name: c
    for c in (
        Contender(
            "raw",
            {"sqlite": "raw_sqlite", "postgres": "raw_postgres", "mysql": "raw_mysql"},
            "the limit: no reading of types, nothing compared or mapped, ids taken as they come; foreign keys on "
            "(MariaDB: off), unique uuid index. PostgreSQL and MariaDB: the figure of the empty tables for all imports.",
            one_import=("postgres", "mysql"),
        ),
        Contender(
            "raw-if-newer",
            {"sqlite": "raw_sqlite"},
            "the same, but a row is updated only when it is newer, as the engine does.",
            exports=False,
        ),
        Contender(
            "engine",
            dict.fromkeys(ENGINES, "engine"),
            "plugin_sync with strict=True: every cell checked, references mapped, newer wins, all or nothing.",
        ),
        Contender(
            "pydal",
            dict.fromkeys(ENGINES, "stock"),
            "db.import_from_csv_file and db.export_to_csv_file: update or insert by uuid; overwrites newer data, "
            "maps no reference, commits halfway.",
            sampled=True,
        ),
        Contender(
            "sqlite-utils",
            {"sqlite": "sqlite_utils_cli"},
            "upsert --csv by uuid: foreign keys off, no cell checked, no id mapped; overwrites newer data.",
        ),
        Contender(
            "django-import-export",
            {"sqlite": "django_import_export"},
            "bulk, by uuid: cells checked, unchanged rows skipped, no id mapped; overwrites newer data; whole file in memory.",
            sampled=True,
        ),
    )
}


def module_of(contender: str, engine: str) -> str:
    """Return the name of the module that does a contender's work on a database engine."""
    return f"{__name__}.{CONTENDERS[contender].modules[engine]}"
