"""The plugin's own tables, defined on a pyDAL connection when a request needs them.

Only definitions: no query, no data. Times are UTC without zone. JSON is kept as ASCII text, which every database
stores unharmed whatever its character set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydal import Field

INSTANCE, ALIAS, JOB = "sync_instance", "plugin_sync_alias", "plugin_sync_job"
TALLY, SETTING = "plugin_sync_tally", "plugin_sync_setting"
TALLIED = ("exported", "new", "changed", "same", "older", "conflict", "rejected", "removed", "restored")
CONFLICT = "plugin_sync_conflict"


def _instance_fields() -> tuple[Any, ...]:
    return (
        Field("base_uuid", length=4, notnull=True, unique=True, writable=False),
        Field("owner", length=100),
        Field("contact", "text"),
        Field("url", length=255),
        Field("last_update", "datetime", notnull=True),
        Field("sync_count", "integer", default=0),
        Field("uuid", length=36, unique=True, writable=False),
        Field("name", length=100),
        Field("state", length=16, default="known"),
        Field("policy", length=16),
        # True in one row and NULL in all others, so that the unique index allows one own instance only.
        Field("is_self", "boolean", default=None, unique=True, writable=False),
        Field("created_on", "datetime", writable=False),
        Field("public_key", length=64, writable=False),  # by which its signatures are known
        # Of the token that it calls here with: its hash, the key of its signatures (encrypted), since when.
        Field("access_hash", length=64, readable=False, writable=False),
        Field("access_key", "text", readable=False, writable=False),
        Field("access_on", "datetime", writable=False),
        Field("token", "text", readable=False, writable=False),  # that we call it with, encrypted
        Field("last_run", length=36, writable=False),  # the synchronisation that was counted last
    )


def _alias_fields() -> tuple[Any, ...]:
    return (
        Field("table_name", length=64, notnull=True),
        Field("alias", length=64, notnull=True),  # folded
        Field("uuid", length=64, notnull=True),
        Field("created_on", "datetime"),
    )


def _job_fields() -> tuple[Any, ...]:
    return (
        Field("uuid", length=36, notnull=True, unique=True),
        Field("kind", length=16, notnull=True),
        Field("state", length=16, notnull=True),
        Field("step", length=16),
        Field("progress", length=512),
        Field("stop_asked", "boolean", default=None),
        Field("instance_id", "integer"),
        Field("file_name", length=255),
        Field("file_sha256", length=64),
        Field("size_bytes", "bigint", default=0),
        Field("policy", length=16),
        Field("module_name", length=64),
        Field("table_names", "text"),
        Field("of_uuid", length=36),  # the import that an undo undoes
        Field("wish", "text"),  # what a synchronisation is asked for, or by whom an import was sent; JSON
        Field("check_report", "text"),
        Field("result_report", "text"),
        Field("error", "text"),
        Field("user_id", "integer"),
        Field("created_on", "datetime", notnull=True),
        Field("started_on", "datetime"),
        Field("finished_on", "datetime"),
    )


def _tally_fields() -> tuple[Any, ...]:
    """How many rows of a table a job exported, imported by outcome, or undid."""
    return (
        Field("job_uuid", length=36, notnull=True),
        Field("table_name", length=64, notnull=True),
        *(Field(name, "integer", notnull=True, default=0) for name in TALLIED),
    )


def _setting_fields() -> tuple[Any, ...]:
    return (
        Field("name", length=64, notnull=True, unique=True),
        Field("value", "text"),  # JSON
    )


def _conflict_fields() -> tuple[Any, ...]:
    return (
        Field("uuid", length=36, notnull=True, unique=True),
        Field("job_uuid", length=36, notnull=True),
        Field("instance", length=36),
        Field("instance_name", length=100),
        Field("table_name", length=64, notnull=True),
        Field("record_uuid", length=64),
        Field("cells", "text"),  # the other version, {column: cell} as JSON
        Field("state", length=16, notnull=True),
        Field("decision", "text"),
        Field("created_on", "datetime", notnull=True),
        Field("decided_on", "datetime"),
    )


_TABLES: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    INSTANCE: _instance_fields,
    ALIAS: _alias_fields,
    JOB: _job_fields,
    TALLY: _tally_fields,
    SETTING: _setting_fields,
    CONFLICT: _conflict_fields,
}

UNIQUE_TOGETHER: Mapping[str, tuple[str, ...]] = {ALIAS: ("table_name", "alias"), TALLY: ("job_uuid", "table_name")}


def define_tables(db: Any, *names: str, migrate: bool | None = None) -> None:
    """Define the plugin's tables called `names` on `db`, all without names; those already defined are left alone.

    `migrate` None follows the connection's own setting. The connection's common fields are kept out: these rows are
    no records. So is its check of reserved words: columns are quoted, and some have names that other databases reserve.
    """
    options = {} if migrate is None else {"migrate": migrate}
    common, db._common_fields = db._common_fields, []
    reserved, db._check_reserved = db._check_reserved, None
    try:
        for name in names or tuple(_TABLES):
            if name not in db.tables:
                db.define_table(name, *_TABLES[name](), **options)
    finally:
        db._common_fields, db._check_reserved = common, reserved
