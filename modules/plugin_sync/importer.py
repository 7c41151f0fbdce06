"""The import pipeline: read -> decode -> stage -> reconcile -> apply -> report. All or nothing.

Knows formats and stores by their interfaces; neither commits nor rolls back the caller's transaction.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import callbacks
from .catalog import Catalog, read_catalog
from .errors import RowsRejected, SettingsError, StoreError
from .formats.csv import CsvReader
from .identity import new_base_uuid, new_uuid
from .loading import ImportOptions, Loader
from .objects import default_of
from .policies import Policy, policy_of
from .records import ImportReport, Origin, Problems, TableReport
from .stores import deciding, writing
from .stores.reconciling import reconcile, reject_with_children
from .stores.registry import open_store
from .stores.staging import ALIASES, Staged, Work
from .values import Stored


def run_import(db: Any, fileobj: Any, options: ImportOptions) -> ImportReport:
    """Import a file; see `plugin_sync.import_csv`."""
    started = time.monotonic()
    catalog = read_catalog(db, options.settings)
    policies = _policies(catalog, options)
    reader = CsvReader(fileobj, options.dialect)
    store = open_store(db)
    with store.transaction(keep=not options.dry_run) as session:
        work = Work(
            session=session,
            specs=catalog.by_name,
            problems=Problems(),
            policies=policies,
            match=options.settings.match,
            duplicates=options.settings.duplicates,
            aliases=ALIASES in db.tables,
        )
        loader = Loader(db, options, catalog, work)
        loader.load(reader)
        _refuse(options, work)
        locked = time.monotonic()
        if not options.dry_run:
            store.lock([s.spec for s in work.staged])
        _reconcile(db, catalog, options, work)
        if options.dry_run:
            tables = _reports(loader, work)
        else:
            _call_before(db, options, work)
            tables = _reports(loader, work)
            _write(db, options, work)
        lock_s = 0.0 if options.dry_run else time.monotonic() - locked
    return ImportReport(
        dry_run=options.dry_run,
        policy=options.policy,
        tables=tuple(tables),
        problems=tuple(work.problems.kept),
        problems_total=work.problems.total,
        groups=work.problems.groups(),
        warnings=tuple(loader.warnings),
        ignored_tables=tuple(loader.ignored_tables),
        origin=reader.footer.origin if reader.footer else Origin(),
        sha256=reader.source.digest,
        size_bytes=reader.source.size_bytes,
        seconds=time.monotonic() - started,
        lock_s=lock_s,
    )


def _policies(catalog: Catalog, options: ImportOptions) -> dict[str, Policy]:
    own = options.settings.table_policies
    for name in own:
        if name not in catalog.by_name:
            raise SettingsError(f"a policy is set for table {name}, which does not exist")
    if options.restore:
        return dict.fromkeys(catalog.by_name, Policy.THEIRS)
    return {t.name: policy_of(own.get(t.name, options.policy)) for t in catalog.tables}


def _refuse(options: ImportOptions, work: Work) -> None:
    """Stop a strict import that has problems; and any that restores, which would delete records whose rows are rejected."""
    if (options.strict or options.restore) and work.problems.total:
        raise RowsRejected(work.problems.kept, work.problems.total)


def _reconcile(db: Any, catalog: Catalog, options: ImportOptions, work: Work) -> None:
    order = {t.name: i for i, t in enumerate(catalog.tables)}
    work.staged.sort(key=lambda s: order[s.spec.name])
    work.defaults = {s.spec.name: _defaults(db[s.spec.name], s) for s in work.staged}
    reconcile(work)
    _refuse(options, work)


def _defaults(table: Any, staged: Staged) -> dict[str, Stored]:
    """Return what new records get in columns that the file lacks."""
    given = {f.name for f in staged.fields} | {staged.spec.uuid_name}
    lacking = (f for f in staged.spec.fields if f.name not in given and table[f.name].default is not None)
    return {f.name: default_of(table[f.name], f) for f in lacking}


def _call_before(db: Any, options: ImportOptions, work: Work) -> None:
    """Give uuids to new records without one, and ask the host's callbacks."""
    me = options.instance
    make = options.new_uuid or functools.partial(new_uuid, me.base_uuid if me is not None else new_base_uuid())
    for staged in work.staged:
        writing.give_uuids(work, staged, make)
        table = db[staged.spec.name]
        if callbacks.listens(table):
            reject_with_children(work, [(staged, callbacks.call_before(work, staged, table))])
    _refuse(options, work)


def _reports(loader: Loader, work: Work) -> list[TableReport]:
    reports = []
    for staged in work.staged:
        name = staged.spec.name
        counts = deciding.count(work, staged, loader.rows_read(name) - staged.rows)
        reports.append(TableReport(name, counts, loader.ignored_columns[name], deciding.samples(work, staged)))
    return reports


@contextmanager
def _named(staged: Staged) -> Iterator[None]:
    """Say which table was being written when the database refused a statement."""
    try:
        yield
    except StoreError as exc:
        exc.table = exc.table or staged.spec.name
        raise


def _write(db: Any, options: ImportOptions, work: Work) -> None:
    """Write what was decided, parents before children."""
    for staged in work.staged:
        with _named(staged):
            writing.insert_new(work, staged)
    for staged in work.staged:
        with _named(staged):
            writing.set_late_references(work, staged)
            writing.update_changed(work, staged)
            writing.keep_aliases(work, staged)
    if options.restore:
        for staged in reversed(work.staged):
            with _named(staged):
                writing.delete_absent(work, staged)
    for staged in work.staged:
        table = db[staged.spec.name]
        if callbacks.listens(table):
            callbacks.call_after(work, staged, table)
