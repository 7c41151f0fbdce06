"""What every command can be asked for, and so every action below it."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser


def common_flags(again: bool = False) -> ArgumentParser:
    """Return a parser to inherit from; `again` for one below a parser that has these flags already."""
    default = SUPPRESS if again else False
    flags = ArgumentParser(add_help=False)
    flags.add_argument("--json", action="store_true", default=default, help="answer in JSON, errors too")
    flags.add_argument("-q", "--quiet", action="store_true", default=default, help="no progress and no summary, only errors")
    return flags
