"""`sync export`: tables as a file or on stdout, for anybody or for one instance, remembered like a download of the pages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, BinaryIO, cast

from ..catalog import Catalog, read_catalog
from ..formats.registry import CSV, FORMATS, format_of
from ..instances import utc_now
from ..jobs import COMMAND_LINE, Download, Target
from ..jobs.downloads import Made
from ..register import find_peer
from ..sent import Since
from ..sizes import table_sizes, total
from ..texts import IN_ENGLISH
from .context import Context
from .exits import Exit, Refusal
from .files import STREAM, Replacement, shown_name
from .terminal import Line, json_text

Show = Callable[[int], None]  # how many bytes were written


def add_arguments(parser: ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("--all", action="store_true", help="every table that travels; the default")
    parser.add_argument("--module", action="append", default=[], metavar="NAME", help="the tables of a module; may be repeated")
    parser.add_argument("--table", action="append", default=[], metavar="NAME", help="one table; may be repeated")
    parser.add_argument("--for", dest="peer", metavar="CODE", help="for the instance with this code: what it was sent is noted")
    parser.add_argument(
        "--since",
        choices=tuple(Since),
        help="with --for: all; changes since its last file (the default, once there is one); again, when that was lost",
    )
    parser.add_argument("--format", choices=tuple(FORMATS), default=CSV.name, help=f"of the file ({CSV.name})")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="written under another name, then renamed; - or none is stdout, unless it is a terminal",
    )


def run(context: Context, asked: Namespace) -> Exit:
    """Export."""
    target = _target(context, asked)
    catalog = read_catalog(context.db, context.settings)
    module, tables = _chosen(catalog, asked)
    name = asked.output or STREAM
    if not asked.output and context.stdout.isatty():
        raise Refusal(Exit.USAGE, "the file would be written to the terminal", "Name a file with --output, or - to do so.")
    download = Download(
        context.settings,
        context.instance,
        module,
        tables,
        COMMAND_LINE,
        file_name=shown_name(name) if name != STREAM else _file_name(context, asked, target),
        target=target,
        form=format_of(asked.format),
        uploads=context.imports.uploads,
        signer=context.imports.signer(),
    )
    download.require(context.db)
    line = Line(context.stderr, not asked.quiet)
    show = _shown(line, _estimate(context, catalog, module, tables) if line.is_shown else 0)
    made = _to_stdout(context, download, show) if name == STREAM else _to_file(context, download, name, show)
    line.clear()
    _report(context, asked, name, made)
    return Exit.DONE


def _target(context: Context, asked: Namespace) -> Target | None:
    if asked.peer is None:
        if asked.since is not None:
            raise Refusal(Exit.USAGE, "--since needs --for: what has changed depends on what was sent to whom")
        return None
    peer = find_peer(context.db, asked.peer.lower())
    if peer.is_self:
        raise Refusal(Exit.USAGE, f"{asked.peer} is this very instance", "The command 'instances' lists the others.")
    sent = context.outbox.sent
    since = Since(asked.since) if asked.since else Since.CHANGES if sent.made_on(peer) else Since.ALL
    return Target(peer, since, sent)


def _chosen(catalog: Catalog, asked: Namespace) -> tuple[str | None, tuple[str, ...] | None]:
    """The one module, or the tables, that are wanted; neither is everything."""
    if asked.all and (asked.module or asked.table):
        raise Refusal(Exit.USAGE, "--all does not go with --module or --table")
    if len(asked.module) == 1 and not asked.table:
        return asked.module[0], None
    if not asked.module and not asked.table:
        return None, None
    names = [spec.name for module in asked.module for spec in catalog.choose(None, module)]
    return None, tuple(dict.fromkeys([*names, *asked.table]))


def _file_name(context: Context, asked: Namespace, target: Target | None) -> str:
    """What a file that went to stdout is called in the history."""
    what = asked.module[0] if len(asked.module) == 1 else "tables" if asked.module or asked.table else "all"
    whole = f"{what} for {target.peer.label}" if target else what
    return IN_ENGLISH.file_name(context.instance.label, whole, utc_now(), format_of(asked.format).suffix)


def _estimate(context: Context, catalog: Catalog, module: str | None, tables: tuple[str, ...] | None) -> int:
    chosen = catalog.choose(tables, module)
    return total(table_sizes(context.db, chosen), chosen).size_bytes


def _to_file(context: Context, download: Download, name: str, show: Show) -> Made:
    with Replacement(name).writing() as target:
        return _write(context.db, download, target.file, target.keep, show)


def _to_stdout(context: Context, download: Download, show: Show) -> Made:
    """Write to stdout; where whoever reads it has gone, the flush says so before anything is remembered."""
    return _write(context.db, download, context.stdout, context.stdout.flush, show)


def _write(db: Any, download: Download, file: BinaryIO, finish: Callable[[], None], show: Show) -> Made:
    """Write the pieces of a download into a file, `finish` it before it is remembered; return what was made."""
    kept: list[Made] = []

    def whole(made: Made) -> bool:
        finish()
        kept.append(made)
        return True

    size_bytes = 0
    pieces = cast("Generator[bytes, None, None]", download.write(db, whole))
    with closing(pieces):  # stopped early, it lets go of the database
        for piece in pieces:
            file.write(piece)
            size_bytes += len(piece)
            show(size_bytes)
    return kept[0]


def _shown(line: Line, estimate: int) -> Show:
    def show(size_bytes: int) -> None:
        about = f" of about {IN_ENGLISH.size_text(max(estimate, size_bytes))}" if estimate else ""
        line.show(f"Exporting: {IN_ENGLISH.size_text(size_bytes)}{about}")

    return show


def _report(context: Context, asked: Namespace, name: str, made: Made) -> None:
    rows = sum(made.rows.values())
    if asked.json:
        facts = {"file": name, "rows": made.rows, "total": rows, "size_bytes": made.size_bytes, "sha256": made.sha256}
        if name == STREAM:
            context.say(json_text(facts).rstrip())
        else:
            context.answer_json(facts)
    elif not asked.quiet:
        tables = "1 table" if len(made.rows) == 1 else f"{len(made.rows)} tables"
        text = f"{rows:,} {'row' if rows == 1 else 'rows'} of {tables}, {made.size_bytes:,} bytes"
        context.say(text + (f", in {name}" if name != STREAM else ""))
