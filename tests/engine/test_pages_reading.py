"""What pages read from a database. The queries beneath have tests of their own, on each store; these need one."""

import shutil
import uuid
from datetime import datetime

import pytest
from pydal import Field

from plugin_sync import Settings, pages
from plugin_sync.conflicts import find_conflict
from plugin_sync.history import Contact, Filters, read_entries
from plugin_sync.instances import ensure_self
from plugin_sync.jobs import COMMAND_LINE, OTHER_OFFICE, Imports, Outbox, State
from plugin_sync.register import Facts, add_peer, find_peer, list_peers
from plugin_sync.schema import define_tables
from plugin_sync.sent import Sent, Since
from plugin_sync.syncs import Syncs
from plugin_sync.texts import IN_ENGLISH
from plugin_sync.vault import Vault

from .databases import database

NOW = datetime(2026, 5, 2, 12)
SETTINGS = Settings(uuid_only=True)


@pytest.fixture
def db():
    with database("sqlite") as db:
        db.define_table("auth_user", Field("first_name"), Field("email"))
        db.define_table("org_office", Field("uuid", length=64), Field("name"), format="%(name)s")
        db.define_table("org_note", Field("text"))
        define_tables(db)
        ensure_self(db, name="Main", source=lambda: uuid.UUID("a1b2" + "0" * 28))
        add_peer(db, Facts("c3d4", "Jacmel"), NOW)
        db.commit()
        yield db


@pytest.fixture
def imports(db, tmp_path):
    return Imports(db, tmp_path / "imports", SETTINGS, None, lambda: "a1b2-new")


@pytest.fixture
def outbox(tmp_path):
    return Outbox(tmp_path / "outbox", Sent(tmp_path / "checkpoints"))


@pytest.fixture
def syncs(db, imports, outbox, tmp_path):
    sent, vault = Sent(tmp_path / "synced"), Vault(tmp_path / "key")
    return Syncs(db, imports, sent, vault, tmp_path / "syncs", lambda: lambda url, token: None)


def job(db, uuid, kind="import", state="done", **facts):
    ended = {"finished_on": NOW} if state in ("done", "failed", "cancelled") else {}
    db.plugin_sync_job.insert(uuid=uuid, kind=kind, state=state, file_name=f"{uuid}.csv", created_on=NOW, **ended, **facts)


def conflict(db, uuid, cells):
    facts = {"job_uuid": "j", "instance": "beef", "instance_name": "Jacmel", "state": "open", "created_on": NOW}
    db.plugin_sync_conflict.insert(uuid=uuid, table_name="org_office", record_uuid=uuid, cells=cells, **facts)


def test_home_shows_what_waits(db, imports):
    job(db, "running", state="running", step="apply")  # no process holds its lock
    job(db, "done")
    home = pages.read_home(db, imports, NOW, IN_ENGLISH)
    assert (home.instance.label, [j.state for j in home.waiting]) == ("Main", [State.INTERRUPTED])
    assert (home.needs.interrupted, home.exported, len(home.chart.days)) == (1, [], 14)


def test_entries_are_listed_with_their_pages_and_people(db, imports):
    ann = db.auth_user.insert(first_name="Ann")
    job(db, "failed", state="failed", step="check", user_id=ann)
    job(db, "out", "export", user_id=99)
    job(db, "typed", "export", user_id=COMMAND_LINE)
    job(db, "asked", "export", user_id=OTHER_OFFICE)
    entries = pages.list_entries(db, imports, read_entries(db, Filters()), list_peers(db), IN_ENGLISH)
    assert entries.states == {"typed": State.DONE, "asked": State.DONE, "out": State.DONE, "failed": State.FAILED}
    assert {name: place.page for name, place in entries.places.items()} == {"failed": "import_file"}
    users = {ann: "Ann", COMMAND_LINE: "Command line", OTHER_OFFICE: "The other office"}
    assert (entries.users, sorted(peer.label for peer in entries.names.values())) == (users, ["Jacmel", "Main"])


def test_instances_are_known_with_what_went_wrong(db, outbox, syncs):
    peers = list_peers(db)
    jacmel = find_peer(db, "c3d4")
    job(db, "in", instance_id=jacmel.id)
    job(db, "sync", "sync", "failed", step="sync", instance_id=jacmel.id)
    known = pages.read_known(db, outbox, syncs, peers)
    assert known.contacts == {jacmel.id: Contact(received=NOW)}
    assert (known.sent_on[jacmel.id], known.waits_since[jacmel.id], known.ready[jacmel.id]) == (None, None, 0)
    for sent in (outbox.sent, syncs.sent):
        sent.folder.mkdir()
        (sent.folder / jacmel.key).touch()
        known = pages.read_known(db, outbox, syncs, peers)
        assert known.waits_since[jacmel.id] is not None
        shutil.rmtree(sent.folder)
    assert {ident: job.uuid for ident, job in known.failures.items()} == {jacmel.id: "sync"}
    calling = pages.read_calling(syncs, jacmel)
    assert (calling.modules, calling.synced.uuid, calling.worked, calling.default_policy) == (["org"], "sync", None, "newer")
    ended = pages.read_synchronised(syncs, syncs.imports.look("sync"))
    assert (ended.peer, ended.report, ended.worked) == (jacmel, None, None)


def test_what_can_be_exported_and_for_whom(db, outbox):
    db.org_office.insert(uuid="o1", name="One")
    held = pages.read_holdings(db, SETTINGS)
    assert [spec.name for spec in held.catalog.included] == ["org_office"]
    assert (held.total.rows, held.module_sizes["org"]) == (1, held.sizes["org_office"])
    assert "org_note" in {spec.name for spec in held.left_out}
    jacmel = find_peer(db, "c3d4")
    nobody, first = pages.read_whom(db, outbox.sent, None, "again"), pages.read_whom(db, outbox.sent, jacmel, "again")
    assert ([peer.label for peer in nobody.peers], nobody.since, first.since) == (["Jacmel"], Since.ALL, Since.ALL)
    outbox.sent.folder.mkdir()
    (outbox.sent.folder / "c3d4").touch()
    assert [pages.read_whom(db, outbox.sent, jacmel, since).since for since in ("again", None)] == [Since.AGAIN, Since.CHANGES]


def test_tables_are_shown_and_mended(db):
    db.org_office.insert(uuid=None, name="One")
    seen = pages.read_tables(db, SETTINGS)
    names = list(seen.modules)
    assert (names[0], names[-1]) == ("org", "")
    assert (list(seen.states), seen.states["org_office"].missing, seen.rows["org_office"]) == (["org_office"], 1, 1)
    spec = pages.mendable(db, SETTINGS, "org_office", "missing")
    said = pages.mend(db, spec, "missing", lambda: "a1b2-new", IN_ENGLISH)
    assert said == "org_office: 1 record was given a new UUID."
    assert pages.mend(db, spec, "index", str, IN_ENGLISH) == "org_office: the unique index on UUIDs is there."
    wrong = [("org_office", "all"), ("org_office", None), ("org_note", "index"), ("", "index")]
    assert [pages.mendable(db, SETTINGS, *asked) for asked in wrong] == [None] * 4


def test_conflicts_are_listed_compared_and_decided(db):
    ident = db.org_office.insert(uuid="o1", name="One")
    conflict(db, "o1", f'{{"id": "{ident}", "uuid": "o1", "name": "Uno"}}')
    conflict(db, "o9", '{"id": "-1", "uuid": "o9", "name": "one"}')
    listed = pages.list_conflicts(db, {"table": "org_office", "page": "2"})
    assert (listed.page, listed.found, listed.total, listed.groups) == (2, [], 2, [("org_office", "beef", "Jacmel", 2)])

    asked = find_conflict(db, "o9")
    which = pages.candidates(db, asked, Settings(match={"org_office": ("name",)}))
    assert which == {ident: "One"}
    assert pages.compare(db, asked, which, {"record": str(ident)}).chosen == ident

    found = find_conflict(db, "o1")
    assert pages.candidates(db, found, SETTINGS) == {}
    compared = pages.compare(db, found, {}, {"record": "7"})
    assert (compared.chosen, compared.following, compared.waiting) == (None, "o9", 2)
    assert pages.decide(db, {}, compared, NOW, IN_ENGLISH) == [("pick_name", "Choose a version of Name")]
    assert pages.decide(db, {"pick_name": "theirs"}, compared, NOW, IN_ENGLISH) == []
    assert db.org_office(ident).name == "Uno"
    said = "This conflict has been decided already. Choose another from the list."
    again = pages.compare(db, find_conflict(db, "o1"), {}, {})
    assert pages.decide(db, {"pick_name": "ours"}, again, NOW, IN_ENGLISH) == [("title", said)]


def test_conflicts_are_decided_together(db):
    ident = db.org_office.insert(uuid="o1", name="One")
    conflict(db, "o1", f'{{"id": "{ident}", "uuid": "o1", "name": "Uno"}}')
    conflict(db, "o9", '{"id": "-1", "uuid": "o9", "name": "one"}')
    said = pages.decide_all(db, "", "", "theirs", NOW, IN_ENGLISH)
    assert said == "1 record was decided. 1 has to be looked at by itself."
    assert pages.decide_all(db, "org_person", "", "ours", NOW, IN_ENGLISH) == "0 records were decided."


def test_what_is_kept_of_an_import(db, imports):
    job(db, "a", file_sha256="f")
    job(db, "b", state="checked", file_sha256="f")
    checked = pages.read_checked(imports, imports.look("b"))
    assert (checked.has_rejects, [job.uuid for job in checked.earlier]) == (False, ["a"])
    ended = pages.read_ended(imports, imports.look("a"))
    assert (ended.kept, ended.has_rejects, ended.undone, ended.can_undo) == (False, False, None, False)


def test_a_job_that_waits_is_seen_to_wait(db, imports):
    job(db, "a", state="queued", step="apply")
    found = imports.look("a")
    assert pages.read_progress(db, imports, found, IN_ENGLISH).text == "Waits for its turn"
    assert pages.title_of(found, IN_ENGLISH) == "Importing"
    assert pages.why_failed(found, IN_ENGLISH) == []
