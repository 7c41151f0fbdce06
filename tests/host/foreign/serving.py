"""Serves a web2py folder as a foreign host may: python serving.py FOLDER. Prints its address."""

import importlib
import os
import sys

root = sys.argv[1]  # a folder of the tests stays on the path behind it
os.environ["web2py_path"] = root  # noqa: SIM112  its name in web2py
os.chdir(root)
sys.path.insert(0, root)
importlib.import_module("applications.welcome.modules.mends")  # the host's own: before gluon
importlib.import_module("gluon.settings").global_settings.web2py_runtime_handler = True
application = importlib.import_module("gluon.main").wsgibase

if __name__ == "__main__":
    server = importlib.import_module("waitress").create_server(application, host="127.0.0.1", port=0, threads=8)
    print(f"http://127.0.0.1:{server.effective_port}/welcome/", flush=True)
    server.run()
