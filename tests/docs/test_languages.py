"""Whatever pages show is said in every language: no key is missing, none is left over, and values keep their places."""

import ast
import importlib.util
import io
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from demo_host import appadmin, browse
from plugin_sync import catalog, messages, register
from plugin_sync.texts import KEYS, NUMBER, Texts

from ..offices import ROOT
from .saying import HOLE, calls_of_t, engine

with warnings.catch_warnings():  # web2py, which comes with it, uses what later Pythons lack
    warnings.simplefilter("ignore")
    from yatl.template import parse_template

HOST, PLUGIN = "languages", "languages/plugin_sync"  # what the host's own pages say, and what travels with the plugin
FILES = sorted(f"{place}/{path.stem}" for place in (HOST, PLUGIN) for path in (ROOT / place).glob("??.py") if path.stem != "en")
ENGINE = sorted((ROOT / "modules" / "plugin_sync").rglob("*.py"))
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sdg]")
OF_LANGUAGE = {"!langcode!", "!langname!"}
# What T is given beside literals, and the words that can be there.
OTHERS = {
    PLUGIN: {
        "spec.reason": messages.REASONS,
        "register.MESSAGES[fault.message]": register.MESSAGES.values(),
        "plugin_sync_options.module_names.get(module, module)": (),  # the host's words, in the host's dictionary
    },
    HOST: {"module": browse.MODULES.values()},
}
# Expressions that pass on what was said elsewhere.
PASSED_ON = {"first.hint", "fault.hint", "str(fault)", "hint", "key", "problem.message", "reason", "message"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """All code that may call T, and whose it is: Python files, and views as web2py's template parser gives them."""
    for folder in ("controllers", "models", "modules"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != ROOT / "controllers" / "appadmin.py":  # web2py's own, put there at set-up
                yield whose(path), ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "views").rglob("*.html")):
        bare = path.read_text(encoding="utf-8").replace('{{extend "layout.html"}}', "")  # which is a view of the host's
        yield whose(path), ast.parse(parse_template(io.StringIO(bare), path=str(ROOT / "views")))
    yield HOST, ast.parse(appadmin.GUARD)


def whose(path: Path) -> str:
    """Whether a file is the plugin's or the host's, by its name."""
    return PLUGIN if "plugin_sync" in {part.split(".")[0] for part in path.relative_to(ROOT).parts} else HOST


@cache
def keys(place: str) -> frozenset[str]:
    """Everything that is to be translated there."""
    found, others = set(), set()
    for owner, tree in sources():
        for argument in calls_of_t(tree) if owner == place else ():
            if isinstance(argument, ast.Constant):
                found.add(argument.value)
            else:
                others.add(ast.unparse(argument))
    assert others == set(OTHERS[place]), "T is given something that this test does not know"
    more = (KEYS, messages.TEMPLATES) if place == PLUGIN else ({NUMBER},)
    return frozenset(found.union(*more, *OTHERS[place].values()))


def keys_of(file: str) -> frozenset[str]:
    return keys(file.rpartition("/")[0])


@cache
def web2py_says() -> set[str]:
    """All texts in web2py's own source that its forms and checks may show."""
    site = Path(importlib.util.find_spec("pydal").origin).parents[1]
    files = ["gluon/tools.py", "gluon/authapi.py", "gluon/sqlhtml.py", "gluon/html.py", "pydal/validators.py"]
    files = [site / name for name in (*files, "applications/welcome/controllers/appadmin.py")]
    with warnings.catch_warnings():  # of escapes that Python does not know
        warnings.simplefilter("ignore")
        trees = [ast.parse(path.read_bytes()) for path in files]
    constants = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    ranges = {f"Enter {what} between %(min)g and %(max)g" for what in ("a number", "an integer")}  # put together there
    return ranges | {node.value for node in constants if isinstance(node.value, str)}


@cache
def words(file: str) -> dict[str, str]:
    return ast.literal_eval((ROOT / f"{file}.py").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES)
def test_every_text_is_there(file):
    assert sorted(keys_of(file) - set(words(file))) == []


@pytest.mark.parametrize("file", FILES)
def test_no_text_is_left_over(file):
    others = web2py_says() if file.startswith(f"{HOST}/") and not file.startswith(PLUGIN) else set()
    assert sorted(set(words(file)) - keys_of(file) - others - OF_LANGUAGE) == []


@pytest.mark.parametrize("file", FILES)
def test_values_keep_their_places(file):
    wrong = []
    for key, text in words(file).items():
        wanted, found = PLACEHOLDER.findall(key), PLACEHOLDER.findall(text)
        named = any("(" in placeholder for placeholder in wanted)
        same = sorted(set(wanted)) == sorted(set(found)) if named else wanted == found
        if not same or not text.strip() or (wanted and "%" in PLACEHOLDER.sub("", text)):
            wrong.append((key, text))
    assert wrong == []


@pytest.mark.parametrize("file", FILES)
def test_a_language_is_a_sorted_dictionary_in_utf_8(file):
    text = (ROOT / f"{file}.py").read_text(encoding="utf-8")
    found = ast.parse(text, mode="eval").body
    assert isinstance(found, ast.Dict)
    names = [key.value for key in found.keys]
    assert len(names) == len(set(names))
    assert names == sorted(names, key=str.lower)
    assert words(file)["!langcode!"] == Path(file).name


def test_the_host_and_the_plugin_speak_the_same_languages():
    assert {Path(file).name for file in FILES} == {"es", "fr"} and len(FILES) == 4


@pytest.mark.parametrize("path", sorted((ROOT / "views").rglob("*.html")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_views_hold_no_words_of_their_own(path):
    html = re.sub(r"{{.*?}}", "0", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(r'\b(?:aria-label|title|placeholder|alt)="([^"]*)"', html)
    seen = [*named, re.sub(r"<[^>]*>", " ", html)]
    words = {word for text in seen for word in re.findall(r"[A-Za-z]{2,}", text)}
    assert words <= {"CSV", "appadmin", "comments", "checked"}  # the last two are an example of what to type


def test_the_plugin_has_a_reason_for_each_table_that_stays():
    assert set(messages.REASONS) == {value for name, value in vars(catalog).items() if name.startswith("REASON_")}


# ---- messages of the engine


def test_every_message_of_the_engine_has_a_template():
    templates, used, missing = set(messages.TEMPLATES), set(messages.REASONS), []
    for said in engine(ENGINE):
        if said.texts is None:
            if said.where.split(": ", 1)[1] not in PASSED_ON:
                missing.append(said.where)
            continue
        plain = said.plain.replace(HOLE, "%s")
        found = {plain} if plain in templates else {text.replace(HOLE, "%s") for text in said.texts} - {"", "%s"}
        missing += sorted(text for text in found - templates)
        used |= found | {text.removeprefix("%s ") for text in found}  # what is said behind another sentence, or alone
    assert missing == []
    assert sorted(templates - used) == []


@pytest.mark.parametrize("template", messages.TEMPLATES)
def test_a_message_is_told_apart_from_its_values(template):
    values = tuple(f"'{number}: %s <b> {{}}'" for number in range(template.count("%s")))
    assert messages.parts(template % values if values else template) == (template, values)


def test_nothing_but_templates_is_looked_up():
    asked = []

    def spy(template, values=()):
        asked.append(template)
        return template % values if values else template

    texts = Texts(spy)
    message = "not imported: no UUID"
    assert texts.sentence(message, "Somebody's own words %s.") == "Not imported: no UUID. Somebody's own words %s."
    assert texts.sentence("is not a date: '<script>%(x)s'") == "Is not a date: '<script>%(x)s'."
    assert texts.sentence("is not a date: 'a' (and 3 more problems)") == "Is not a date: 'a' (and 3 more problems)."
    assert set(asked) <= set(messages.TEMPLATES)
