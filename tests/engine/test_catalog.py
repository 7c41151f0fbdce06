"""Which tables travel, by what their records are known, what is withheld, and in which order they stand."""

import pytest
from pydal import DAL, Field
from pydal.helpers.classes import SQLCustomType

from plugin_sync import Settings, SettingsError, read_catalog
from plugin_sync.catalog import (
    REASON_ARCHIVE,
    REASON_DENIED,
    REASON_LOOKUP,
    REASON_NO_UUID,
    REASON_SITE,
    is_denied,
    is_secret,
)
from plugin_sync.records import Identity


@pytest.fixture
def db():
    db = DAL("sqlite:memory")
    yield db
    db.close()


def with_uuid(db, name, *fields, **options):
    return db.define_table(name, Field("uuid", length=64), *fields, **options)


def reasons(db, **settings):
    return {t.name: t.reason for t in read_catalog(db, Settings(**settings)).tables}


@pytest.mark.parametrize(
    "name",
    """auth_user auth_group auth_membership auth_permission auth_event auth_cas AUTH_USER sync_instance sync_x plugin_sync_alias
    plugin_sync_job scheduler_task scheduler_run scheduler_worker web2py_session_sync""".split(),
)
def test_tables_that_never_travel(name):
    assert is_denied(name)


@pytest.mark.parametrize("name", "org_office author authority my_auth_user synchronised plugin_wiki_page scheduled".split())
def test_tables_of_the_host(name):
    assert not is_denied(name)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("anything", "password"),
        ("password", "string"),
        ("Password", "string"),
        ("user_password", "string"),
        ("passwd", "string"),
        ("api_key", "string"),
        ("apikey", "string"),
        ("secret", "text"),
        ("client_secret", "text"),
        ("registration_key", "string"),
        ("reset_password_key", "string"),
        ("access_token", "string"),
        ("token_hash", "string"),
    ],
)
def test_secret_fields(name, kind):
    assert is_secret(name, kind)


@pytest.mark.parametrize("name", "name key secretary tokens_are_not keyboard passport compass_word".split())
def test_fields_that_are_no_secrets(name):
    assert not is_secret(name, "string")


def test_no_setting_lets_a_denied_table_travel(db):
    with_uuid(db, "auth_user")
    with_uuid(db, "sync_instance")
    found = reasons(db, include=frozenset(("auth_user", "sync_instance")), modules={"auth_user": "org"})
    assert set(found.values()) == {REASON_DENIED}
    assert read_catalog(db).modules == {}


def test_reasons(db):
    for name in ("gis_layer", "gis_config", "org_office"):
        with_uuid(db, name, Field("name"))
    db.define_table("org_note", Field("name"))
    db.define_table("org_country", Field("code", length=2), primarykey=["code"])
    with_uuid(db, "org_office_archive", Field("current_record", "reference org_office"))
    with_uuid(db, "doc_archive", Field("name"))
    settings = {"lookup": frozenset(["gis_layer"]), "site_specific": frozenset(["gis_config"])}
    expected = {
        "gis_layer": REASON_LOOKUP,
        "gis_config": REASON_SITE,
        "org_office": "",
        "org_note": "",
        "org_country": "",
        "org_office_archive": REASON_ARCHIVE,
        "doc_archive": "",
    }
    assert reasons(db, **settings) == expected
    pages = expected | {"org_note": REASON_NO_UUID, "org_country": REASON_NO_UUID}
    assert reasons(db, **settings, uuid_only=True) == pages
    included = frozenset(("gis_layer", "org_note", "org_office_archive"))
    assert reasons(db, **settings, uuid_only=True, include=included) == pages | dict.fromkeys(included, "")


def test_what_records_are_known_by(db):
    with_uuid(db, "with_uuid")
    db.define_table("with_id", Field("name"))
    db.define_table("with_key", Field("a"), Field("b", "integer"), primarykey=["a", "b"])
    with_uuid(db, "with_both", Field("code"), primarykey=["code"])
    db.define_table("with_number", Field("uuid", "integer"))
    db.define_table("own_id", Field("office_no", "id"), Field("uuid"))
    found = read_catalog(db).by_name
    assert {n: (t.identity, t.id_name, t.uuid_name, t.primary_key) for n, t in found.items()} == {
        "with_uuid": (Identity.UUID, "id", "uuid", ()),
        "with_id": (Identity.CONTENT, "id", None, ()),
        "with_key": (Identity.PRIMARY_KEY, None, None, ("a", "b")),
        "with_both": (Identity.PRIMARY_KEY, None, None, ("code",)),
        "with_number": (Identity.CONTENT, "id", None, ()),
        "own_id": (Identity.UUID, "office_no", "uuid", ()),
    }


def test_fields_as_they_travel(db):
    with_uuid(db, "parent", Field("code", "integer", unique=True))
    db.define_table("keyed", Field("code", length=3), primarykey=["code"])
    with_uuid(
        db,
        "t",
        Field("name", length=30, notnull=True),
        Field("notes", "text"),
        Field("money", "decimal(12,3)"),
        Field("parent", "reference parent"),
        Field("big", "big-reference parent"),
        Field("many", "list:reference parent"),
        Field("country", "reference keyed.code"),
        Field("modified_on", "datetime"),
        Field("secret"),
        Field("login", "password"),
        Field("point", SQLCustomType("string", "CHAR(40)")),
        Field("whole", SQLCustomType("integer", "INTEGER", encoder=str, decoder=int)),
        Field("wide", SQLCustomType("integer", "bigint")),
        Field("virtual", compute=lambda row: 1),
    )
    spec = read_catalog(db).by_name["t"]
    assert {f.name: (f.type, f.target, f.length, f.notnull) for f in spec.fields} == {
        "uuid": ("string", None, 64, False),
        "name": ("string", None, 30, True),
        "notes": ("text", None, None, False),
        "money": ("decimal", None, None, False),
        "parent": ("reference", "parent", None, False),
        "big": ("reference", "parent", None, False),
        "many": ("list:reference", "parent", None, False),
        "country": ("string", None, 512, False),
        "modified_on": ("datetime", None, None, False),
        "point": ("string", None, 512, False),
        "whole": ("integer", None, None, False),
        "wide": ("bigint", None, None, False),
        "virtual": ("string", None, 512, False),
    }
    money = spec.field("money")
    assert (money.precision, money.scale) == (12, 3)
    assert (spec.withheld, spec.modified_name) == (("secret", "login"), "modified_on")
    assert [f.name for f in spec.references] == ["parent", "big", "many"]
    assert spec.field("nothing") is None


def test_references_to_accounts_are_withheld(db):
    with_uuid(db, "auth_user")
    with_uuid(db, "t", Field("owner", "reference auth_user"), Field("readers", "list:reference auth_user"), Field("name"))
    spec = read_catalog(db).by_name["t"]
    assert (spec.withheld, [f.name for f in spec.fields]) == (("owner", "readers"), ["uuid", "name"])


def test_names_of_the_database(db):
    db.define_table("t", Field("uuid", rname='"the_uuid"'), Field("select", rname='"Auswahl"'), rname='"Tabelle 1"')
    spec = read_catalog(db).by_name["t"]
    assert (spec.sql_name, [f.column for f in spec.fields]) == ('"Tabelle 1"', ['"the_uuid"', '"Auswahl"'])


def test_modules(db):
    for name in ("org_office", "pr_person", "pr_group", "single", "cr_shelter"):
        with_uuid(db, name)
    modules = read_catalog(db, Settings(modules={"cr_shelter": "camps"}, lookup=frozenset(["pr_group"]))).modules
    assert {m: [t.name for t in tables] for m, tables in modules.items()} == {
        "camps": ["cr_shelter"],
        "org": ["org_office"],
        "pr": ["pr_person"],
        "single": ["single"],
    }
    assert list(modules) == sorted(modules)


def names(tables):
    return [t.name for t in tables]


def test_parents_stand_before_children(db):
    with_uuid(db, "a", Field("b", "reference b"), Field("cs", "list:reference c"), migrate=False)
    with_uuid(db, "b", Field("c", "reference c"), migrate=False)
    with_uuid(db, "c", Field("self", "reference c"), migrate=False)
    assert names(read_catalog(db).tables) == ["c", "b", "a"]


def test_cycles_are_broken_somewhere(db):
    with_uuid(db, "a", Field("b", "reference b"), migrate=False)
    with_uuid(db, "b", Field("a", "reference a"), migrate=False)
    with_uuid(db, "top", Field("x", "reference nowhere"), Field("a", "reference a"), migrate=False)
    assert sorted(names(read_catalog(db).tables)) == ["a", "b", "top"]
    assert names(read_catalog(db).tables)[-1] == "top"


def test_a_long_chain_needs_no_deep_stack(db):
    for i in range(1500):
        with_uuid(db, f"t{i}", Field("next", f"reference t{i + 1}"), migrate=False)
    assert names(read_catalog(db).tables)[0] == "t1499"


def test_choosing(db):
    for name in ("org_office", "org_staff", "pr_person"):
        with_uuid(db, name)
    with_uuid(db, "auth_user")
    catalog = read_catalog(db, Settings(lookup=frozenset(["pr_person"])))
    assert names(catalog.choose(None, None)) == ["org_office", "org_staff"]
    assert names(catalog.choose(["org_staff"], None)) == ["org_staff"]
    assert names(catalog.choose(None, "org")) == ["org_office", "org_staff"]
    assert names(catalog.choose([], None)) == []
    assert catalog.get("ORG_Office").name == "org_office"
    assert catalog.get("org_offic") is None


@pytest.mark.parametrize(
    ("tables", "module", "message"),
    [
        (["nothing"], None, "no table is called 'nothing'"),
        (["auth_user"], None, f"table auth_user does not travel: {REASON_DENIED}"),
        (["pr_person"], None, f"table pr_person does not travel: {REASON_LOOKUP}"),
        (None, "hrm", "no module is called 'hrm'"),
        (None, "auth", "no module is called 'auth'"),
        (None, "", "no module is called ''"),
    ],
)
def test_choosing_what_does_not_travel(db, tables, module, message):
    for name in ("org_office", "pr_person", "auth_user"):
        with_uuid(db, name)
    catalog = read_catalog(db, Settings(lookup=frozenset(["pr_person"])))
    with pytest.raises(SettingsError) as caught:
        catalog.choose(tables, module)
    assert caught.value.message == message
