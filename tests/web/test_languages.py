"""The pages speak the language that the browser asks for; what files and records hold stays as it is."""

import ast
import re
from html import unescape

import pytest

from ..offices import ROOT
from .pages import PLUGIN, apply, text_of, upload

PAGES = ("index", "export", "import_file", "tables", "instances", "instance_add", "history", "options", "conflicts")
HOST = (
    "/sync/default/index",
    "/sync/default/records/pr_person",
    "/sync/default/user/profile",
    "/sync/default/user/change_password",
)
HOST = (*HOST, "/sync/appadmin/index", "/sync/appadmin/insert/db/pr_person", "/sync/default/records/nowhere")
LANGUAGES = ("fr", "es")
NASTY = "<script>document.title='x'</script>"
BAD_FILE = (
    "TABLE pr_person\r\n"
    "pr_person.id,pr_person.uuid,pr_person.first_name,pr_person.date_of_birth,pr_person.nowhere\r\n"
    f'1,a1b2c3d4-0000-4000-8000-000000000001,Ana,"{NASTY}",1\r\n'
    "2,a1b2c3d4-0000-4000-8000-000000000002,Ben,31/12/1999,1\r\n"
    "3,a1b2c3d4-0000-4000-8000-000000000003,Cleo,1999-12-31,1\r\n\r\n\r\n"
    "TABLE gis_config\r\ngis_config.id,gis_config.name\r\n1,Map\r\n\r\n\r\nEND\r\n"
).encode()


def words(language: str) -> dict[str, str]:
    """The dictionaries of a language, the host's and the plugin's, with blanks as `text_of` gives them."""
    files = (ROOT / "languages" / f"{language}.py", ROOT / "languages" / "plugin_sync" / f"{language}.py")
    found = {key: text for file in files for key, text in ast.literal_eval(file.read_text(encoding="utf-8")).items()}
    return {key: re.sub(r"\s+", " ", text) for key, text in found.items()}


def in_language(client, language):
    """The same client, as a browser of people who read that language first."""
    client.opener.addheaders = [("Accept-Language", f"{language}-{language.upper()},{language};q=0.9,en;q=0.5")]
    return client


def english(answer, language: str) -> list[str]:
    """The sentences of ours, of two words or more, that a page shows in English."""
    shown = text_of(answer)
    found = []
    for key, text in words(language).items():
        pieces = [piece.strip() for piece in re.split(r"%(?:\(\w+\))?[sdg]", key)]
        longest = max(pieces, key=len)
        if longest.count(" ") >= 1 and longest not in text and re.search(rf"(?<!\w){re.escape(longest)}(?!\w)", shown):
            found.append(key)
    return found


def is_in(answer, language: str) -> bool:
    return f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", [*(PLUGIN + name for name in PAGES), *HOST])
def test_pages_are_in_the_language_of_the_browser(main_office, path, language):
    answer = in_language(main_office.administrator(), language).get(path)
    assert is_in(answer, language)
    assert english(answer, language) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_signing_in_is_in_the_language_of_the_browser(main_office, language):
    client = in_language(main_office.client(), language)
    key = client.get("/sync/default/user/login").hidden("_formkey")
    refused = client.post(
        "/sync/default/user/login", {"email": "nobody@example.com", "password": "x", "_formkey": key, "_formname": "login"}
    )
    assert is_in(refused, language)
    assert words(language)["The address or the password is wrong. Check both, then try again."] in text_of(refused)
    assert english(refused, language) == []


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("en", "en"),
        ("en-GB,en;q=0.9,fr;q=0.8", "en"),
        ("de,ht;q=0.8", "en"),
        ("fr-HT,fr;q=0.9,en;q=0.5", "fr"),
        ("ht,fr;q=0.9", "fr"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
    ],
)
def test_the_first_language_that_is_known_is_taken(main_office, asked, language):
    client = main_office.client()
    client.opener.addheaders = [("Accept-Language", asked)]
    answer = client.get("/sync/default/user/login")
    assert is_in(answer, language)
    assert {"en": "Sign in", "fr": "Se connecter", "es": "Iniciar sesión"}[language] in text_of(answer)


@pytest.mark.parametrize("language", LANGUAGES)
def test_problems_of_a_file_are_in_the_language_of_the_browser(empty_office, language):
    client, said = in_language(empty_office.administrator(), language), words(language)
    check = upload(client, BAD_FILE, name="a<b>.csv")
    shown = text_of(check)
    assert is_in(check, language)
    assert english(check, language) == []
    assert said["dates look changed by a spreadsheet: %s"][1:] % repr("31/12/1999") in shown
    assert said["Write them as YEAR-MONTH-DAY, for example 2024-03-31."] in shown
    assert said["settings of this site"] in shown
    assert NASTY not in check.text
    assert NASTY in unescape(check.text)
    result = apply(client, check)
    assert english(result, language) == []
    rejects = client.get(re.search(r'href="([^"]+/rejects/[^"]+)"', result.text)[1])
    assert said["dates look changed by a spreadsheet: %s"] % repr("31/12/1999") in text_of(rejects)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_is_refused_is_in_the_language_of_the_browser(empty_office, language):
    client, said = in_language(empty_office.administrator(), language), words(language)
    refused = upload(client, b"\x89PNG" + b"x" * 100)
    assert said["There is a problem"] in text_of(refused)
    assert said["the selected file must be a CSV, XML or ZIP; it is an image"][1:] in text_of(refused)
    assert english(refused, language) == []
    nowhere = client.get(f"{PLUGIN}check/nowhere")
    assert nowhere.status == 404
    assert said["there is no such import"][1:] in text_of(nowhere)


def test_languages_are_never_written(main_office):
    def found():
        return {path: path.read_bytes() for path in (main_office.app / "languages").rglob("*.py")}

    before = found()
    in_language(main_office.administrator(), "fr").get(f"{PLUGIN}history?table=<b>&instance=zzzz")
    assert len(before) >= 5 and found() == before
