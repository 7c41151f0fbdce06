"""docs/command-line.md tells of every command, option, action and exit code, and of nothing else."""

import argparse
import re

from plugin_sync.commands import COMMANDS, Exit, parser
from plugin_sync.formats.registry import FORMATS

from ..offices import ROOT

PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMON = {"-h", "--help", "--json", "-q", "--quiet"}


def section(name: str, level: str = "###") -> str:
    return PAGE.split(f"\n{level} {name}\n", 1)[1].split(f"\n{level} ", 1)[0].split("\n## ", 1)[0]


def told(name: str) -> set[str]:
    """What stands in the first column of a section's table."""
    cells = re.findall(r"^\| (`[^|]*`) \|", section(name), re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def actions(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next((dict(a.choices) for a in of._actions if isinstance(a, argparse._SubParsersAction)), {})


def options(of: argparse.ArgumentParser) -> set[str]:
    return {name for action in of._actions for name in action.option_strings} - COMMON


def test_commands():
    found = re.findall(r"^### (\S+)$", PAGE, re.MULTILINE)
    assert found == [command.name for command in COMMANDS] == list(actions(parser()))
    assert PAGE.split("\n")[2].split()[1::2] == found


def test_options_of_each_command():
    for name, command in actions(parser()).items():
        assert told(name) == options(command) | set(actions(command)), name
        for action in actions(command).values():
            assert options(action) <= set(re.findall(r"`(-[^`]+)`", section(name))), name
        for argument in command._actions:
            if not argument.option_strings and argument.metavar and argument.metavar.isupper() and argument.nargs is None:
                assert re.search(rf"\b{argument.metavar}\b", section(name)), (name, argument.metavar)


def test_formats_of_export():
    assert set(FORMATS) <= set(re.findall(r"`(\w+)`", section("export").split("`--format`", 1)[1].split("\n", 1)[0]))


def test_flags_of_all_commands():
    for command in actions(parser()).values():
        assert {name for action in command._actions for name in action.option_strings} >= COMMON
    assert all(f"`{name}`" in PAGE for name in COMMON - {"-h"})


def test_exit_codes():
    found = re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert found == [(str(code.value), code.name) for code in Exit]


def test_every_argument_has_its_help():
    for command in actions(parser()).values():
        for of in (command, *actions(command).values()):
            assert all(action.help for action in of._actions), of.prog


def test_what_is_shown_can_be_typed():
    lines = re.findall(r"(?:\./run sync|plugin_sync\.py)(?: --(?:instance|app) \S+)? ([^|\n`]+)", PAGE)
    assert len(lines) >= 6
    for line in lines:
        parser().parse_args(line.split())
