"""The plugin's own tables, defined on a pyDAL connection when a request needs them.

Only definitions: no query, no data. Times are UTC without zone. JSON is kept as ASCII text, which every database
stores unharmed whatever its character set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydal import Field

INSTANCE, ALIAS, JOB = "sync_instance", "plugin_sync_alias", "plugin_sync_job"


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
        Field("instance_id", "integer"),
        Field("file_name", length=255),
        Field("file_sha256", length=64),
        Field("size_bytes", "bigint", default=0),
        Field("policy", length=16),
        Field("module_name", length=64),
        Field("table_names", "text"),
        Field("check_report", "text"),
        Field("result_report", "text"),
        Field("error", "text"),
        Field("user_id", "integer"),
        Field("created_on", "datetime", notnull=True),
        Field("started_on", "datetime"),
        Field("finished_on", "datetime"),
    )


_TABLES: Mapping[str, Callable[[], tuple[Any, ...]]] = {
    INSTANCE: _instance_fields,
    ALIAS: _alias_fields,
    JOB: _job_fields,
}

UNIQUE_TOGETHER: Mapping[str, tuple[str, ...]] = {ALIAS: ("table_name", "alias")}


def define_tables(db: Any, *names: str, migrate: bool | None = None) -> None:
    """Define the plugin's tables called `names` on `db`, all without names; those already defined are left alone.

    `migrate` None follows the connection's own setting. The connection's common fields are kept out: these rows are
    no records.
    """
    options = {} if migrate is None else {"migrate": migrate}
    common, db._common_fields = db._common_fields, []
    try:
        for name in names or tuple(_TABLES):
            if name not in db.tables:
                db.define_table(name, *_TABLES[name](), **options)
    finally:
        db._common_fields = common
