"""What a page that does not use the plugin costs with it and without: python measuring.py FOLDER ROUNDS, answers in JSON.

One process asks for the host's home page, in turn with the plugin's model in its place and twice with it moved aside, and tells
the processor time of each, in milliseconds; and that of the plugin's model alone.
"""

import importlib
import io
import json
import sys
import time
from pathlib import Path
from wsgiref.util import setup_testing_defaults

from serving import application, root

MODEL = Path(root, "applications", "welcome", "models", "plugin_sync.py")
ASIDE = MODEL.with_suffix(".aside")


def ask() -> float:
    environ = {"PATH_INFO": "/welcome/default/index", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:80"}
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO()
    status = []
    started = time.process_time()
    b"".join(application(environ, lambda line, headers, *rest: status.append(line)))
    spent = time.process_time() - started
    assert status[0].startswith("200"), status
    return spent * 1000


def timed(run, spent: list[float]):
    """web2py's function that runs a file, noting how long the plugin's model takes."""

    def restricted(code, environment=None, layer="Unknown", scode=None):
        started = time.process_time()
        result = run(code, environment, layer, scode)
        if Path(layer) == MODEL:
            spent.append((time.process_time() - started) * 1000)
        return result

    return restricted


def main(rounds: int) -> None:
    found = {"with": [], "without": [], "control": [], "model": []}
    compileapp = importlib.import_module("gluon.compileapp")
    compileapp.restricted = timed(compileapp.restricted, found["model"])
    for number in range(-3, rounds):
        spent = {"with": ask()}
        MODEL.rename(ASIDE)
        try:
            spent |= {"without": ask(), "control": ask()}
        finally:
            ASIDE.rename(MODEL)
        if number >= 0:  # the first make tables and import modules
            for name, value in spent.items():
                found[name].append(value)
    engine = [name for name in sys.modules if name.endswith("plugin_sync.importer")]
    print(json.dumps(found | {"engine": engine}))


if __name__ == "__main__":
    importlib.import_module("logging").disable()
    main(int(sys.argv[2]))
