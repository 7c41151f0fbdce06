"""The commands of `./run` that need web2py: `python -m demo_host COMMAND`, with an instance named by the environment."""

import sys

from plugin_sync import commands

from . import first_start, server
from .appadmin import UnknownAppadminError
from .instance import APP, Instance, chosen, set_up


def setup(instance: Instance, arguments: list[str]) -> None:
    """Make the instance's folder."""
    print(f"Instance {instance.folder.name} is in {instance.folder}")


def serve(instance: Instance, arguments: list[str]) -> None:
    """Serve the instance."""
    server.serve(instance)


def web2py(instance: Instance, *arguments: str) -> None:
    """Run web2py's own command line inside the instance."""
    server.enter(instance)
    sys.argv = ["web2py.py", "--no_banner", "--no_gui", *arguments]
    import gluon.widget

    gluon.widget.start()


def worker(instance: Instance, arguments: list[str]) -> None:
    """Run a worker of web2py's Scheduler."""
    web2py(instance, "-K", APP, *arguments)


def shell(instance: Instance, arguments: list[str]) -> None:
    """Open a Python shell with the models loaded."""
    web2py(instance, "-S", APP, "-M", *arguments)


def password(instance: Instance, arguments: list[str]) -> None:
    """Give the administrator a new password."""
    server.first_request(server.application(instance), instance)
    from gluon.shell import env

    models = env(APP, import_models=True)
    first_start.set_password(models["db"], str(instance.app))
    models["db"].commit()
    print(server.sign_in(instance))


def sync(instance: Instance, arguments: list[str]) -> None:
    """Move data on the command line."""
    server.enter(instance)
    from gluon.shell import env

    models = env(APP, import_models=True, dir=str(instance.app))
    sys.exit(models["plugin_sync_command"](arguments))


def require_instance(instance: Instance) -> None:
    """Refuse to make an instance whose name was mistyped."""
    if not instance.private.is_dir():
        raise SystemExit(f"There is no instance {instance.folder.name}; ./run serve --instance {instance.folder.name} makes one.")


COMMANDS = {"setup": setup, "serve": serve, "worker": worker, "shell": shell, "password": password, "sync": sync}

if __name__ == "__main__":
    here = chosen()
    if sys.argv[1] == "sync":
        commands.parse(sys.argv[2:])  # help and wrong usage need no instance
        require_instance(here)
    try:
        set_up(here)
    except UnknownAppadminError as problem:
        print(f"Warning: {problem}", file=sys.stderr)
    COMMANDS[sys.argv[1]](here, sys.argv[2:])
