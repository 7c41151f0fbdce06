"""`python -m plugin_tools pack|install|uninstall`: what ./run calls."""

import argparse
import sys
from pathlib import Path

from .installing import Done, NotPossibleError, install, uninstall
from .packing import FILE_NAME, pack

CHECKOUT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> None:
    """Do what is asked for."""
    top = argparse.ArgumentParser(prog="run", description="Bring the plugin into an application, or take it out.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("plugin", help=f"pack the plugin into dist/{FILE_NAME}")
    for name, text in (("install", "copy the plugin into an application"), ("uninstall", "take it out again")):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("app", type=Path, metavar="PATH_TO_APP", help="the folder of the application")
        command.add_argument("--force", action="store_true", help="also replace, or remove, files that were changed there")
        if name == "uninstall":
            command.add_argument("--keep-data", action="store_true", help="leave private/plugin_sync: uploads, checkpoints, keys")
    asked = top.parse_args(arguments)
    try:
        do(asked)
    except NotPossibleError as problem:
        sys.exit(f"run {asked.command}: {problem}")


def do(asked: argparse.Namespace) -> None:
    """Do it, and say what was done."""
    if asked.command == "plugin":
        target = CHECKOUT / "dist" / FILE_NAME
        names = pack(CHECKOUT, target)
        print(f"{target}: {len(names)} files, {target.stat().st_size:,} bytes")
    elif asked.command == "install":
        tell(install(CHECKOUT, asked.app, asked.force))
        print("Restart the server; then open /" + asked.app.absolute().name + "/plugin_sync as a member of the group admin.")
    else:
        tell(uninstall(asked.app, asked.force, asked.keep_data))
        print("Its tables stay in the database: sync_instance and plugin_sync_*. Restart the server.")


def tell(done: Done) -> None:
    """Name every file."""
    for verb, names in (("copied", done.copied), ("removed", done.removed), ("left, changed since", done.left)):
        for name in names:
            print(f"{verb} {name}")
    if not (done.copied or done.removed):
        print("All files are there already.")


if __name__ == "__main__":
    main(sys.argv[1:])
