"""Every public name, keyword, setting, policy and code is documented, and nothing else is."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields

import pytest

import plugin_sync
from plugin_sync import Counts, Duplicates, Outcome, Policy, Settings, SyncError, errors
from plugin_sync.stores.registry import STORES
from plugin_sync.values import CODECS

from ..offices import ROOT

ENGINE = sorted((ROOT / "modules" / "plugin_sync").rglob("*.py"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FIRST_CELL = re.compile(r"^\| (`[^|]*`) \|", re.MULTILINE)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def listed(page: str, heading: str = "") -> list[str]:
    """The names in the first column of a page's tables, from a heading to the next of its level."""
    found = text(page)
    if heading:
        level = heading.split(" ", 1)[0]
        found = found.split(f"\n{heading}", 1)[1].split(f"\n{level} ", 1)[0]
    return [name for cell in FIRST_CELL.findall(found) for name in re.findall(r"`([^`]+)`", cell)]


def words(name: str) -> set[str]:
    """All that stands in code marks on a page."""
    return {word for code in re.findall(r"`([^`\n]+)`", text(name)) for word in re.findall(r"\w+", code)}


def calls(*names: str) -> Iterator[ast.Call]:
    for path in ENGINE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield node


def constant(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def codes() -> set[str]:
    """The codes of problems in the source: of Problem and Fault, and those that are put together of a word."""
    found = {constant(call.args[0]) for call in calls("Problem") if call.args}
    for call in calls("Fault"):
        named = next((k.value for k in call.keywords if k.arg == "code"), call.args[2] if len(call.args) > 2 else None)
        found.add(constant(named) or "bad_value")
    for call in calls("_refuse_repeated"):
        found.add("repeated_" + (constant(call.args[3]) or "").replace(" ", "_"))
    return {code for code in found if code}


def test_public_names():
    assert set(plugin_sync.__all__) - words("docs/functions.md") == set()


@pytest.mark.parametrize(
    "function", [plugin_sync.export_csv, plugin_sync.import_csv, plugin_sync.export_file, plugin_sync.import_file]
)
def test_keywords_of_the_functions(function):
    wanted = set(inspect.signature(function).parameters) - {"db", "fileobj"}
    section = text("docs/functions.md").split(f"## {function.__name__}(", 1)[1].split("\n## ", 1)[0]
    told = {name for cell in FIRST_CELL.findall(section) for name in re.findall(r"`(\w+)`", cell)}
    assert told == wanted


def test_keywords_of_pydals_import():
    ours = set(inspect.signature(plugin_sync.import_csv).parameters)
    told = set(listed("docs/import.md", "## The keywords of pyDAL's import"))
    assert told - ours == {"unique", "id_offset"}
    assert {"map_tablenames", "ignore_missing_tables", "validate", "transform", "restore", "null", "id_map"} <= told


def test_settings_of_the_host():
    model = ast.parse(text("models/plugin_sync.py"))
    found = next(n for n in ast.walk(model) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "PluginManager")
    defaults = {f"plugins.sync.{k.arg}": ast.literal_eval(k.value) for k in found.keywords}
    rows = re.findall(r"^\| `(plugins\.sync\.\w+)` \| `([^`]+)` \|", text("docs/settings.md"), re.MULTILINE)
    assert {name: ast.literal_eval(value) for name, value in rows} == defaults


def test_settings_of_the_functions():
    assert {field.name for field in fields(Settings)} - words("docs/settings.md") == set()


def test_settings_that_are_named_anywhere_exist():
    known = set(listed("docs/settings.md"))
    for page in PAGES:
        named = set(re.findall(r"plugins\.sync\.[a-z_]+", page.read_text(encoding="utf-8")))
        assert named <= known, page.name


def test_policies_and_what_is_done_with_duplicates():
    assert sorted(listed("docs/import.md", "## Policies")) == sorted(Policy)
    assert sorted(listed("docs/import.md", "## Duplicates with different uuids")) == sorted(Duplicates)
    assert set(Policy) | set(Duplicates) <= words("docs/settings.md")


def test_outcomes():
    assert {*Outcome, *(field.name for field in fields(Counts))} <= words("docs/functions.md")


def test_errors_and_their_codes():
    kinds = [SyncError]
    for kind in kinds:
        kinds += [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
    told = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", text("docs/errors.md"), re.MULTILINE)
    assert sorted(told) == sorted((kind.__name__, kind.code) for kind in kinds)


def test_codes_of_problems():
    assert sorted(listed("docs/errors.md", "## Problems")) == sorted(codes())


def test_databases():
    names = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mysql": "MariaDB"}
    assert [name for engine in STORES if (name := names[engine]) not in text("README.md")] == []


def test_types():
    told = " ".join(re.findall(r"^\| ([^|]+) \|", text("docs/file-format.md").split("## Cells")[1], re.MULTILINE))
    aliases = {"float": "double", "jsonb": "json"}
    missing = {kind for kind in CODECS if aliases.get(kind, kind) not in told}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    found = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", found):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for path in re.findall(r"`((?:modules|models|controllers|views|static|tests|docs|benchmarks)/[\w./-]+)`", found):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_are_of_this_project_alone(page):
    found = page.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|home|root|tmp|Users)/", found)
    assert not re.search(r"(?<!\w)#[0-9]+\b|\bissue [0-9]", found)


def test_targets_of_make_that_are_named_exist():
    known = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for page in PAGES:
        for named in re.findall(r"(?:^    |`)make ([a-z -]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(named.split("  ")[0].split()) <= known, (page.name, named)
