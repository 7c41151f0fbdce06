"""The import pipeline: read -> decode -> stage -> reconcile -> apply -> report. All or nothing.

Knows formats and stores by their interfaces; neither commits nor rolls back the caller's transaction.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import callbacks
from .attaching import Attaching, Present
from .catalog import Catalog, read_catalog
from .errors import RowsRejected, SettingsError
from .formats.contract import Reader, Reading
from .formats.registry import open_reader
from .identity import new_base_uuid, new_uuid
from .intake import ImportOptions
from .loading import Loader
from .objects import default_of
from .policies import Policy, policy_of
from .records import ImportReport, Origin, Problems, TableReport
from .stores import deciding, writing
from .stores.contract import Store
from .stores.reconciling import reconcile, reject_with_children
from .stores.registry import open_store
from .stores.staging import ALIASES, Staged, Work
from .uploads import read_uploads
from .values import Stored


@dataclass
class Merge:
    """One import after every row of its file was decided on, and before anything is written."""

    db: Any
    options: ImportOptions
    reader: Reader
    loader: Loader
    work: Work
    store: Store
    locked: float  # when other writers began to wait
    arrivals: Attaching | None = None  # uploaded files that the file brings


def run_import(db: Any, fileobj: Any, options: ImportOptions) -> ImportReport:
    """Import a file; see `plugin_sync.import_csv`."""
    started = time.monotonic()
    with reconciled(db, fileobj, options) as merge:
        if options.on_decided is not None:
            options.on_decided(line for staged in merge.work.staged for line in deciding.decisions(merge.work, staged))
        if options.dry_run:
            tables = _reports(merge)
        else:
            _call_before(merge)
            tables = _written(merge)
        lock_s = 0.0 if options.dry_run else time.monotonic() - merge.locked
    work, loader, reader = merge.work, merge.loader, merge.reader
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
        sha256=reader.sha256,
        size_bytes=reader.size_bytes,
        seconds=time.monotonic() - started,
        lock_s=lock_s,
    )


@contextmanager
def reconciled(db: Any, fileobj: Any, options: ImportOptions) -> Iterator[Merge]:
    """Load a file and decide on every row of it; what is written then is undone after a dry run, or an exception."""
    catalog = read_catalog(db, options.settings)
    policies = _policies(catalog, options)
    reader = open_reader(fileobj, _reading(catalog, options))
    store = open_store(db)
    with store.transaction(keep=not options.dry_run) as session:
        work = Work(
            session=session,
            specs=catalog.by_name,
            problems=Problems(each=options.on_problem),
            policies=policies,
            match=options.settings.match,
            duplicates=options.settings.duplicates,
            aliases=ALIASES in db.tables,
            exact=options.exact,
            leave_out_same=not options.restore and not options.exact,
        )
        loader = Loader(db, options, catalog, work)
        loader.load(reader)
        work.arrivals = arrivals = _arrivals(db, loader, reader)
        if options.files_here:
            work.arrivals = Present(read_uploads(db, (s.spec for s in work.staged), options.uploads))
        _refuse(options, work)
        locked = time.monotonic()
        if not options.dry_run:
            options.enter("waiting")
            store.lock([s.spec for s in work.staged])
        options.enter("comparing")
        store.gather(work, options.restore)
        _reconcile(db, catalog, options, work)
        yield Merge(db, options, reader, loader, work, store, locked, arrivals)


def _arrivals(db: Any, loader: Loader, reader: Reader) -> Attaching | None:
    """Return the uploaded files that a file brings, None when it brings none, after a look at each."""
    found = reader.attachments
    if found is None or not (found.files or found.missing):
        return None
    specs = [staged.spec for staged in loader.work.staged]
    arrivals = Attaching(read_uploads(db, specs, loader.options.uploads), found, loader.sections)
    progress = loader.options.progress
    arrivals.verify(lambda file: progress(file.table, loader.read.get(file.table, 0)) if progress is not None else None)
    loader.warnings.extend(arrivals.warnings())
    return arrivals


def _reading(catalog: Catalog, options: ImportOptions) -> Reading:
    """Return what the file's reader may have to know: the tables by the names that the file has."""
    renamed = {name: catalog.get(here) for name, here in options.map_tablenames.items() if here is not None}
    specs = {**catalog.by_name, **{name: spec for name, spec in renamed.items() if spec is not None}}
    return Reading(options.dialect, specs, options.trust, options.settings.domain, options.progress)


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
    for staged in work.staged:
        table, lacking = db[staged.spec.name], ((p, staged.fields[p]) for p in staged.gapped)
        staged.fallbacks = {p: default_of(table[f.name], f) for p, f in lacking if table[f.name].default is not None}
    reconcile(work)
    _refuse(options, work)


def _defaults(table: Any, staged: Staged) -> dict[str, Stored]:
    """Return what new records get in columns that the file lacks."""
    given = {f.name for f in staged.fields} | {staged.spec.uuid_name}
    lacking = (f for f in staged.spec.fields if f.name not in given and table[f.name].default is not None)
    return {f.name: default_of(table[f.name], f) for f in lacking}


def _call_before(merge: Merge) -> None:
    """Give uuids to new records without one, and ask the host's callbacks."""
    options, work = merge.options, merge.work
    me = options.instance
    make = options.new_uuid or functools.partial(new_uuid, me.base_uuid if me is not None else new_base_uuid())
    for staged in work.staged:
        writing.give_uuids(work, staged, make)
        table = merge.db[staged.spec.name]
        if callbacks.listens(table):
            reject_with_children(work, [(staged, callbacks.call_before(work, staged, table))])
    _refuse(options, work)


def _reports(merge: Merge) -> list[TableReport]:
    work, loader, reports = merge.work, merge.loader, []
    for staged in work.staged:
        name = staged.spec.name
        counts = deciding.count(work, staged, loader.rows_read(name) - staged.rows)
        reports.append(TableReport(name, counts, loader.ignored_columns[name], deciding.samples(work, staged)))
    return reports


def _written(merge: Merge) -> list[TableReport]:
    """Write what was decided and put uploaded files into place; they are taken away again when that fails."""
    placing = merge.options.placing
    try:
        tables = _write(merge)
        if merge.arrivals is not None:
            merge.arrivals.place(merge.work, placing, conflicts=merge.options.keep is not None)
    except BaseException:
        placing.withdraw()
        raise
    return tables


def _write(merge: Merge) -> list[TableReport]:
    """Write what was decided; what `options.keep` needs is kept beside. Return what was done."""
    options, work, store = merge.options, merge.work, merge.store
    if options.keep is not None:
        options.keep.before(work)
    while refused := store.write(work, options.restore):
        reject_with_children(work, refused)
        _refuse(options, work)
    tables = _reports(merge)
    if not store.works_on_copies:
        _write_tables(options, work)
    for staged in work.staged:
        table = merge.db[staged.spec.name]
        if callbacks.listens(table):
            callbacks.call_after(work, staged, table)
    if options.keep is not None and not store.works_on_copies:  # where records are copies, how they became is not to be seen
        options.keep.after(work)
    return tables


def _write_tables(options: ImportOptions, work: Work) -> None:
    """Write what was decided, parents before children."""
    done, total = 0, sum(staged.rows for staged in work.staged)
    for staged in work.staged:
        options.enter("writing", staged.spec.name, done, total)
        done += staged.rows
        with writing.named(staged):
            writing.insert_new(work, staged)
    done = 0
    for staged in work.staged:
        options.enter("finishing", staged.spec.name, done, total)
        done += staged.rows
        with writing.named(staged):
            writing.set_late_references(work, staged)
            writing.update_changed(work, staged)
            writing.keep_aliases(work, staged)
    if options.restore:
        for staged in reversed(work.staged):
            with writing.named(staged):
                writing.delete_absent(work, staged)
