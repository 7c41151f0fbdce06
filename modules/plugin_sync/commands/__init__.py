"""The command line: `sync export|import|check|undo|tables|history|instances`, for people, cron and USB scripts.

    exits, flags, terminal -> context -> files, waiting -> exporting, importing, undoing, listing, synchronising
        -> instances -> here

Knows no web2py: the host's model makes the `Context`. See docs/command-line.md.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import SyncError
from ..jobs.running import translated
from . import exporting, importing, instances, listing, undoing
from .context import Context, Stopping
from .exits import Exit, Refusal, exit_of
from .flags import common_flags
from .terminal import json_text


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its name, what it does, its arguments, and the function that does it."""

    name: str
    text: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Context, Namespace], Exit]


COMMANDS = (
    Command("export", "write tables as a file, or to stdout", exporting.add_arguments, exporting.run),
    Command("import", "bring a file in, or what comes by stdin", importing.add_arguments, importing.run),
    Command("check", "say what importing a file would do", importing.add_check_arguments, importing.check),
    Command("undo", "take an import back", undoing.add_arguments, undoing.run),
    Command("tables", "list the tables, and why some stay home", listing.add_table_arguments, listing.tables),
    Command("history", "list what was exchanged", listing.add_history_arguments, listing.history),
    Command("instances", "list, add, pause, remove other offices; exchange with one", instances.add_arguments, instances.run),
)


def parser() -> ArgumentParser:
    """Return the parser of the whole command line."""
    top = ArgumentParser(prog="sync", description="Move data between installations without losing any.", allow_abbrev=False)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.text,
            description=f"{command.text[0].upper()}{command.text[1:]}.",
            parents=[common_flags()],
            allow_abbrev=False,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return top


def parse(arguments: Sequence[str]) -> Namespace:
    """Return what is asked for; exits with USAGE, or after --help, as argparse does."""
    return parser().parse_args(arguments)


def main(arguments: Sequence[str], context: Context) -> int:
    """Do what the arguments ask for and return the exit code; whatever stops it leaves the database as it was."""
    asked = parse(arguments)
    try:
        with context.stopping.listening(), translated(context.db):
            code = asked.run(context, asked)
            context.stdout.flush()
            return int(code)
    except SyncError as error:
        return _stopped(context, asked, exit_of(error), str(error), error.to_dict())
    except Refusal as refusal:
        text = f"{refusal.message.rstrip('.')}. {refusal.hint}" if refusal.hint else refusal.message
        return _stopped(context, asked, refusal.exit_code, text, refusal.to_dict())
    except KeyboardInterrupt:
        return _stopped(context, asked, Exit.CANCELLED, "stopped, nothing was changed", {"error": "cancelled"})
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), context.stdout.fileno())  # else Python complains when it flushes at its end
        return int(Exit.BROKEN_PIPE)
    finally:
        context.db.rollback()


def _stopped(context: Context, asked: Namespace, code: Exit, text: str, facts: dict[str, object]) -> int:
    """Say why it was stopped. The object goes to stdout, but never behind the pieces of a file."""
    context.stderr.write("\r\x1b[K" if context.stderr.isatty() else "")
    if asked.json and asked.command != "export":
        context.answer_json(facts)
    elif asked.json:
        context.say(json_text(facts).rstrip())
    else:
        context.say(f"sync {asked.command}: {text[:1].lower()}{text[1:]}")
    return int(code)


__all__ = ["COMMANDS", "Context", "Exit", "Stopping", "main", "parse", "parser"]
