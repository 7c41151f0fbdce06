"""Wires the plugin to its host: settings, the own instance, its tables where a request needs them. Runs at every request."""

import logging as _logging
from dataclasses import replace as _replace
from functools import cache as _once
from pathlib import Path as _Path

from gluon.tools import PluginManager
from plugin_sync import wiring as _engine  # one import: each costs a request, see there

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
    domain="",
    table_policies={},
    policy="newer",
    name="",
    owner="",
    admin_group="admin",
    scheduler=None,
    retention_days=90,
    require_signature=False,
    service_group="sync",
    allow_addresses=[],
    allow_http_loopback=False,
    largest_call_mb=16,
).sync


def plugin_sync_host_options():
    """What the host said of the things that administrators may settle on the page Settings."""
    options = plugin_sync_options
    return _engine.Options(options.policy, dict(options.table_policies), options.retention_days)


@_once
def plugin_sync_saved():
    """What is in force of them. Asks the database: for the plugin's own pages and tasks only."""
    _engine.define_tables(db)
    return _engine.read_options(db, plugin_sync_host_options())


def _plugin_sync_host_settings():
    """The host's settings as the engine takes them; the pages offer tables with a uuid only."""
    options = plugin_sync_options
    return _engine.Settings(
        lookup=frozenset(options.lookup),
        site_specific=frozenset(options.site_specific),
        include=frozenset(options.include),
        modules=dict(options.modules),
        match={table: tuple(fields) for table, fields in options.match.items()},
        duplicates=_engine.Duplicates(options.duplicates),
        table_policies=dict(options.table_policies),
        uuid_only=True,
        domain=options.domain,
    )


@_once
def plugin_sync_settings():
    """The same with what administrators have saved; for the plugin's own pages and tasks only."""
    return _replace(_plugin_sync_host_settings(), table_policies=dict(plugin_sync_saved().table_policies))


@_once
def plugin_sync_instance():
    """The own instance, made when there is none."""
    return _engine.ensure_self(db, name=plugin_sync_options.name, owner=plugin_sync_options.owner)


def plugin_sync_new_uuid():
    """A fresh uuid for a record of this instance: the default of the host's uuid fields."""
    return _engine.new_uuid(plugin_sync_instance().base_uuid)


def _plugin_sync_private(name):
    """A folder of the plugin's own that no address leads to."""
    return _Path(request.folder, "private", "plugin_sync", name)


def plugin_sync_uploads():
    """The folder where the application keeps uploaded files."""
    return _Path(request.folder, "uploads")


def plugin_sync_signer():
    """The own key, made when there is none; None where the package for it is missing, and nothing is signed then."""
    return _engine.own_signer(_plugin_sync_private("signing.key")) if _engine.has_cryptography else None


def plugin_sync_trust():
    """Whose signatures are known here, the own one among them."""
    signer = plugin_sync_signer()
    own = {signer.public_key: plugin_sync_instance().uuid} if signer else {}
    return _engine.Trust(_engine.known_keys(db) | own, required=bool(plugin_sync_options.require_signature))


def plugin_sync_imports():
    """The use cases of imports, with the files kept in the application's private folder."""
    _engine.define_tables(db)
    folder = _plugin_sync_private("imports")
    options = {"retention_days": plugin_sync_saved().retention_days, "synced": _engine.Sent(_plugin_sync_private("synced"))}
    options |= {"uploads": plugin_sync_uploads(), "trust": plugin_sync_trust, "signer": plugin_sync_signer}
    return _engine.Imports(db, folder, plugin_sync_settings(), plugin_sync_instance(), plugin_sync_new_uuid, **options)


def plugin_sync_vault():
    """The key that tokens are encrypted with."""
    return _engine.Vault(_plugin_sync_private("key"))


def plugin_sync_syncs():
    """The use cases of synchronisation with registered instances: `plugin_sync_syncs().now(code, wish)` for commands."""
    options, imports = plugin_sync_options, plugin_sync_imports()
    policy, folder = plugin_sync_saved().policy, _plugin_sync_private("syncs")

    def network():
        allowed = _engine.networks(options.allow_addresses)
        return _engine.connect_by(_engine.Addresses(allowed, options.allow_http_loopback))

    return _engine.Syncs(db, imports, imports.synced, plugin_sync_vault(), folder, network, policy)


def plugin_sync_run(job_uuid):
    """The task of web2py's Scheduler: do what a job waits for, unless that was done; return the state it is in."""
    imports = plugin_sync_imports()
    of_sync = imports.look(job_uuid).kind == "sync"
    return str((plugin_sync_syncs() if of_sync else imports).run(job_uuid).state)


def plugin_sync_thread(job_uuid):
    """A thread of this process that does what a job waits for."""
    from gluon import current

    return _engine.in_thread(db, lambda: plugin_sync_run(job_uuid), current)


def plugin_sync_begin(job_uuid, here=False):
    """Let a waiting job begin: at a worker of the host's Scheduler or, `here`, in this process. Commits."""
    job, scheduler = plugin_sync_imports().look(job_uuid), None if here else plugin_sync_options.scheduler
    _engine.begin(job, scheduler, plugin_sync_run.__name__, lambda: plugin_sync_thread(job_uuid))
    db.commit()


def plugin_sync_outbox():
    """The files that are made on schedule, and what was last sent to whom."""
    return _engine.Outbox(_plugin_sync_private("outbox"), _engine.Sent(_plugin_sync_private("checkpoints")))


def plugin_sync_fill_outbox():
    """The task of the schedule: make a file of changes for each active instance; return how many."""
    outbox = plugin_sync_outbox()
    outbox.remove_old(plugin_sync_saved().retention_days)
    return len(outbox.fill(db, plugin_sync_settings(), plugin_sync_instance()))


def plugin_sync_command(arguments):
    """The command line, inside this application: do what the arguments ask for and return the exit code."""
    import sys

    _engine.define_tables(db)
    return _engine.main(
        arguments,
        _engine.Context(
            db,
            plugin_sync_settings(),
            plugin_sync_saved(),
            plugin_sync_instance(),
            plugin_sync_imports(),
            plugin_sync_outbox(),
            plugin_sync_thread,
            plugin_sync_syncs,
            sys.stdin.buffer,
            sys.stdout.buffer,
            sys.stderr,
        ),
    )


def plugin_sync_translator():
    """T of the plugin's pages: its own words in the language that is asked for, and the host's, for example its layout's.

    Nothing is ever written into the host's files, as the host's T does with words that it meets.
    """
    from gluon.languages import TranslatorFactory

    host = T

    class Translator(TranslatorFactory):
        def translate(self, message, symbols):
            hosts = message not in self.t and message in host.t
            return host.translate(message, symbols) if hosts else super().translate(message, symbols)

    translator = Translator(str(_Path(request.folder, "languages", "plugin_sync")), request.env.http_accept_language)
    translator.is_writable = False
    translator.set_current_languages("en")
    translator.force(*host.requested_languages)
    return translator


def _plugin_sync_start():
    """Make what is missing; True, which is kept until the process ends or the tables change."""
    try:
        _engine.compress_static(_Path(request.folder, "static", "plugin_sync"))
    except OSError:  # pages are sent uncompressed
        _logging.getLogger("plugin_sync").warning("static files cannot be compressed", exc_info=True)
    _engine.start(db, _plugin_sync_host_settings(), name=plugin_sync_options.name, owner=plugin_sync_options.owner)
    return True


if request.controller == "plugin_sync" or db._migrate_enabled:
    # What a page that is not the plugin's pays for in most processes only once: with migrations pyDAL reads a file a table.
    cache.ram(f"plugin_sync_start {db._uri_hash} {db._migrate_enabled} {hash(tuple(db.tables))}", _plugin_sync_start, None)
    if request.controller == "plugin_sync":
        _engine.define_tables(db)
