"""The plugin's command line inside the application that this file lies in: python applications/APP/cron/plugin_sync.py --help.

web2py is the one around the application, else the one that Python finds. The plugin's modules are imported by the
application's models alone, so that they have one name only.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any


def models(app: Path) -> dict[str, Any]:
    """The names that the models of an application define, with the working folder and path that web2py has."""
    root = app.parents[1]
    os.environ["web2py_path"] = str(root)  # noqa: SIM112  its name in web2py
    os.chdir(root)
    sys.path[0] = str(root)  # instead of this file's folder
    importlib.import_module("gluon.settings").global_settings.web2py_runtime_handler = True  # the locale stays as it is
    importlib.import_module("gluon.main")  # says which web2py this is; models ask for that
    return importlib.import_module("gluon.shell").env(app.name, import_models=True, dir=str(app))


if __name__ == "__main__":
    try:
        found = models(Path(__file__).parents[1].absolute())
    except KeyboardInterrupt:
        sys.exit(130)
    if "plugin_sync_command" not in found:
        sys.exit("The application's models do not define plugin_sync_command: models/plugin_sync.py is missing or too old.")
    sys.exit(found["plugin_sync_command"](sys.argv[1:]))
