"""The direction of imports, as DESIGN has it: what is on the left never imports what is on its right."""

import ast
from functools import cache
from pathlib import Path

import pytest

import plugin_sync

PACKAGE = Path(plugin_sync.__file__).resolve().parent
# Each line may import the lines above it and its own.
LAYERS = """
    errors records
    settings values catalog policies identity clock messages texts charts wishes tokens addresses wire
    signing uploads vault
    formats stores objects
    callbacks planning intake loading attaching
    importer exporter merger checkpoints keeping mending undoing
    connections instances integrity reports schema sizes startup conflicts
    history options register sent assets jobs peers transports
    exchange services
    syncs
    commands pages
    wiring
    plugin_sync
"""
RANKS = {name: rank for rank, line in enumerate(LAYERS.strip().splitlines()) for name in line.split()}
# An error names the problems it carries; the module is needed by type checkers only.
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_PYDAL = 3
CONTROLLER = PACKAGE.parents[1] / "controllers" / "plugin_sync.py"
MAX_ACTION = 20  # lines


def name_of(path):
    """The dotted name below the package; '' is the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Yield (dotted name, node) of what a file imports; modules of the package without its name, others after '/'."""
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (("/" + alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield "/" + node.module, node
        elif isinstance(node, ast.ImportFrom):
            base = [p for p in package if p][: len([p for p in package if p]) + 1 - node.level]
            base += node.module.split(".") if node.module else []
            yield from ((target(base, alias.name), node) for alias in node.names)


def target(base, name):
    inside = PACKAGE.joinpath(*base, name)
    return ".".join([*base, name]) if inside.with_suffix(".py").exists() or inside.is_dir() else ".".join(base)


def top(name):
    return name.split(".")[0] or "plugin_sync"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_has_a_layer(path):
    assert top(name_of(path)) in RANKS


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_inwards(path):
    rank = RANKS[top(name_of(path))]
    outward = [name for name, _ in imports(path) if not name.startswith("/") and RANKS[top(name)] > rank]
    assert outward == []


def test_no_module_imports_itself_by_a_detour():
    graph = {name_of(p): {n for n, node in imports(p) if not n.startswith("/") and not for_types(p, node)} for p in FILES}
    cycles = [name for name in graph if name in reached(graph, name)]
    assert cycles == []


def for_types(path, node):
    """Whether an import stands below `if TYPE_CHECKING`."""
    blocks = [n for n in ast.walk(parsed(path)) if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING"]
    return any(node in ast.walk(block) for block in blocks)


def reached(graph, start):
    found, pending = set(), [start]
    while pending:
        new = graph.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_web2py_is_not_imported(path):
    assert [n for n, _ in imports(path) if top(n.removeprefix("/")) == "gluon"] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_import_stands_inside_a_function(path):
    functions = [n for n in ast.walk(parsed(path)) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))]
    inside = [node.lineno for f in functions for node in ast.walk(f) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert inside == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_package_is_imported_relatively(path):
    assert [n for n, _ in imports(path) if n == "/plugin_sync" or n.startswith("/plugin_sync.")] == []


def test_few_modules_know_pydal():
    found = [name_of(p) for p in FILES if any(n == "/pydal" or n.startswith("/pydal.") for n, _ in imports(p))]
    assert len(found) <= MAX_PYDAL, found


def test_the_pages_actions_are_short():
    lengths = {
        node.name: node.end_lineno - node.lineno + 1 for node in parsed(CONTROLLER).body if isinstance(node, ast.FunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_ACTION} == {}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_pure_modules_know_values_only(path):
    """No file, database, network or clock below the stores."""
    pure = ("errors", "records", "settings", "values", "policies", "identity", "catalog", "texts", "charts")
    if top(name_of(path)) in pure:
        edge = {"os", "io", "sqlite3", "psycopg2", "pymysql", "socket", "time", "urllib", "pydal"}
        assert [n for n, _ in imports(path) if n.startswith("/") and top(n[1:]) in edge] == []
