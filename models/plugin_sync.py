"""Wires the plugin to its host: settings, the own instance, its tables where a request needs them. Runs at every request."""

from functools import cache as _once

from gluon.tools import PluginManager
from plugin_sync.identity import new_uuid as _new_uuid
from plugin_sync.instances import ensure_self as _ensure_self
from plugin_sync.schema import define_tables as _define_tables
from plugin_sync.settings import Duplicates as _Duplicates
from plugin_sync.settings import Settings as _Settings
from plugin_sync.startup import start as _start

# The host's word: what it set as `plugins.sync.NAME` before stands, the rest is this.
plugin_sync_options = PluginManager(
    "sync",
    lookup=[],
    site_specific=[],
    include=[],
    modules={},
    module_names={},
    match={},
    duplicates="link",
    table_policies={},
    policy="newer",
    name="",
    owner="",
    admin_group="admin",
).sync


@_once
def plugin_sync_settings():
    """The host's settings as the engine takes them; the pages offer tables with a uuid only."""
    options = plugin_sync_options
    return _Settings(
        lookup=frozenset(options.lookup),
        site_specific=frozenset(options.site_specific),
        include=frozenset(options.include),
        modules=dict(options.modules),
        match={table: tuple(fields) for table, fields in options.match.items()},
        duplicates=_Duplicates(options.duplicates),
        table_policies=dict(options.table_policies),
        uuid_only=True,
    )


@_once
def plugin_sync_instance():
    """The own instance, made when there is none."""
    return _ensure_self(db, name=plugin_sync_options.name, owner=plugin_sync_options.owner)


def plugin_sync_new_uuid():
    """A fresh uuid for a record of this instance: the default of the host's uuid fields."""
    return _new_uuid(plugin_sync_instance().base_uuid)


def _plugin_sync_start():
    """Make what is missing; True, which is kept until the process ends or the tables change."""
    _start(db, plugin_sync_settings(), name=plugin_sync_options.name, owner=plugin_sync_options.owner)
    return True


if db._migrate_enabled or request.controller == "plugin_sync":
    _define_tables(db)
    cache.ram(f"plugin_sync_start {db._uri_hash} {db._migrate_enabled} {hash(tuple(db.tables))}", _plugin_sync_start, None)
