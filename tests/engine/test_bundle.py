"""A bundle brings records with their uploaded files, on each store; a second time it changes nothing."""

import io
import json
import os
import random
import tracemalloc
import zipfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydal import Field

from plugin_sync import Kept, RowsRejected, StoreError, Trust, conflicts, export_file, import_csv, import_file, undo_import
from plugin_sync.conflicts import OURS, THEIRS, Pick
from plugin_sync.formats import archive
from plugin_sync.importer import run_import
from plugin_sync.intake import ImportOptions
from plugin_sync.keeping import THEIRS as THEIR_FILE
from plugin_sync.mending import rejected_rows
from plugin_sync.schema import define_tables
from plugin_sync.uploads import STORED_NAME, Placing

from .bundles import place
from .databases import ENGINES, PORTABLE, database
from .files import outcomes
from .states import contents

THEN, NOW, LATER = datetime(2024, 1, 1), datetime(2024, 2, 1), datetime(2024, 3, 1)
ME = SimpleNamespace(base_uuid="beef", uuid="beef0000-0000-4000-8000-000000000000", name="Main")


@pytest.fixture
def places(engine, tmp_path):
    """Two applications with empty databases: there and here."""
    with ExitStack() as stack:
        there = stack.enter_context(place(engine.removeprefix(PORTABLE), tmp_path / "there"))
        yield there, stack.enter_context(place(engine, tmp_path / "here"))


def fill(there, files=3):
    for number in range(files):
        org = there.store("org", "logo", b"logo %d" % number, f"Logo {number}.png", uuid=f"o{number}", name="O", modified_on=NOW)
        content = random.Random(number).randbytes(2000 + number)
        there.store("person", "photo", content, uuid=f"p{number}", name="Anna", org=org, modified_on=NOW)
    there.db.person.insert(uuid="none", name="No photo", modified_on=NOW)
    there.db.commit()


def test_records_come_with_their_files(places):
    there, here = places
    fill(there)
    data = there.bundle(instance=ME)
    before = contents(here.db)
    checked = here.take(data, dry_run=True)
    assert (contents(here.db), here.files()) == (before, {})
    report = here.take(data)
    assert checked.counts == report.counts
    assert outcomes(report) == {"org": {"new": 3}, "person": {"new": 4}}
    assert report.origin.instance == ME.uuid
    for number in range(3):
        for table, field, uuid in (("org", "logo", f"o{number}"), ("person", "photo", f"p{number}")):
            assert here.content(table, field, uuid) == there.content(table, field, uuid)
            assert here.name(table, field, uuid) != there.name(table, field, uuid)
    assert here.content("person", "photo", "none") is None
    assert len(here.files()) == 6
    filename, _ = here.db.org.logo.retrieve(here.name("org", "logo", "o1"), nameonly=True)
    assert filename == "Logo_1.png"


def test_the_same_bundle_again_changes_nothing(places):
    there, here = places
    fill(there)
    data = there.bundle()
    here.take(data)
    before, files = contents(here.db), {p: p.stat().st_mtime_ns for p in here.folder.iterdir()}
    for policy in ("newer", "theirs", "ask"):
        report = here.take(data, policy=policy)
        assert outcomes(report) == {"org": {"same": 3}, "person": {"same": 4}}
    assert contents(here.db) == before
    assert {p: p.stat().st_mtime_ns for p in here.folder.iterdir()} == files
    assert outcomes(there.take(here.bundle(), policy="theirs")) == {"org": {"same": 3}, "person": {"same": 4}}


def test_the_own_bundle_is_the_same_at_home(places):
    there, _ = places
    fill(there)
    before, files = contents(there.db), there.files()
    assert outcomes(there.take(there.bundle(), policy="theirs")) == {"org": {"same": 3}, "person": {"same": 4}}
    assert (contents(there.db), there.files()) == (before, files)


def test_a_newer_file_replaces_the_name_and_leaves_the_old_file(places):
    there, here = places
    here.store("org", "logo", b"old", uuid="o1", name="O", modified_on=THEN)
    here.db.commit()
    old = here.name("org", "logo", "o1")
    there.store("org", "logo", b"new", uuid="o1", name="O", modified_on=NOW)
    there.db.commit()
    for policy in ("ours", "fill"):
        here.take(there.bundle(), policy=policy)
        assert (here.content("org", "logo", "o1"), len(here.files())) == (b"old", 1)
    report = here.take(there.bundle())
    assert outcomes(report) == {"org": {"changed": 1}, "person": {}}
    assert here.content("org", "logo", "o1") == b"new"
    assert here.files()[old] == b"old"


def test_an_older_file_stays_out(places):
    there, here = places
    here.store("org", "logo", b"ours", uuid="o1", name="O", modified_on=LATER)
    here.db.commit()
    there.store("org", "logo", b"theirs", uuid="o1", name="O", modified_on=NOW)
    there.db.commit()
    before, files = contents(here.db), here.files()
    assert outcomes(here.take(there.bundle())) == {"org": {"older": 1}, "person": {}}
    assert (contents(here.db), here.files()) == (before, files)


def test_a_name_whose_file_is_missing_here_gets_it(places):
    """A CSV came first: the record has the name, and nothing lies under it."""
    there, here = places
    fill(there)
    csv = io.BytesIO()
    export_file(there.db, csv, "csv")
    csv.seek(0)
    import_csv(here.db, csv)
    here.db.commit()
    before = contents(here.db)
    assert here.files() == {}
    assert outcomes(here.take(there.bundle())) == {"org": {"same": 3}, "person": {"same": 4}}
    assert contents(here.db) == before
    assert here.content("org", "logo", "o2") == b"logo 2"
    assert len(here.files()) == 6


def test_files_that_the_sender_lacks_are_told(places):
    there, here = places
    fill(there)
    lost = there.name("org", "logo", "o1")
    (there.folder / lost).unlink()
    data = there.bundle()
    assert there.report.missing_files == (f"org.logo: {lost}",)
    report = here.take(data)
    assert [(p.code, p.table, p.column, p.message) for p in report.warnings] == [
        ("file_missing", "org", "logo", "1 uploaded file was not there when the file was made")
    ]
    assert here.name("org", "logo", "o1") == lost  # as from a CSV
    assert here.content("org", "logo", "o2") == b"logo 2"


def test_a_failed_import_leaves_no_file(places):
    there, here = places
    fill(there)

    def refuse(*_):
        raise RuntimeError("the host's callback fails after everything was written")

    here.db.person._after_insert.append(refuse)
    before = contents(here.db)
    with pytest.raises(Exception, match="the host's callback fails"):
        here.take(there.bundle())
    here.db.rollback()
    assert (contents(here.db), here.files()) == (before, {})


def test_a_disk_that_is_full_leaves_nothing(places, monkeypatch):
    there, here = places
    fill(there)
    put = Placing.put

    def full(self, path, pieces, sha256):
        if len(self._parts) == 4:
            raise StoreError("an uploaded file cannot be put in place: No space left on device")
        put(self, path, pieces, sha256)

    monkeypatch.setattr(Placing, "put", full)
    before = contents(here.db)
    with pytest.raises(StoreError, match="No space left"):
        here.take(there.bundle())
    here.db.rollback()
    assert (contents(here.db), here.files()) == (before, {})


@pytest.mark.parametrize("step", ["replace", "open"])
def test_a_disk_that_fails_leaves_nothing(places, monkeypatch, step):
    """Half of the files are in place, or half of them written, when the disk gives up."""
    there, here = places
    fill(there)
    data, works, seen = there.bundle(), getattr(Path, step), []

    def fails(path, *arguments, **options):
        if path.suffix == ".part" and here.folder in path.parents:
            seen.append(path)
            if len(seen) > 3:
                raise OSError(28, "No space left on device")
        return works(path, *arguments, **options)

    monkeypatch.setattr(Path, step, fails)
    before = contents(here.db)
    with pytest.raises(StoreError, match="cannot be put in place: No space left on device"):
        here.take(data)
    here.db.rollback()
    assert (contents(here.db), here.files(), len(seen)) == (before, {}, 4)


def test_rows_that_are_refused_bring_no_file(places):
    there, here = places
    fill(there)
    here.db.person._before_insert.append(lambda row: row["uuid"] == "p1")
    report = here.take(there.bundle(), strict=False)
    assert outcomes(report)["person"] == {"new": 3, "rejected": 1}
    assert len(here.files()) == 5
    with pytest.raises(RowsRejected):
        there.db.define_table("other", Field("uuid", length=64))
        there.db.other.insert(uuid="x")
        here.take(there.bundle())


def test_a_bundle_of_changes_holds_the_files_of_what_changed(places, tmp_path):
    there, here = places
    fill(there)
    here.take(there.bundle(checkpoint=tmp_path / "first"))
    there.db(there.db.org.uuid == "o1").update(logo=there.db.org.logo.store(io.BytesIO(b"changed"), "new.png"), modified_on=LATER)
    there.db.commit()
    data = there.bundle(since=tmp_path / "first", checkpoint=tmp_path / "second")
    assert sorted(zipfile.ZipFile(io.BytesIO(data)).namelist()) == ["manifest.json", "tables/org.csv", "uploads/000001"]
    assert outcomes(here.take(data)) == {"org": {"changed": 1}}
    assert here.content("org", "logo", "o1") == b"changed"
    nothing = there.bundle(since=tmp_path / "second")
    assert outcomes(here.take(nothing)) == {}


def test_records_without_uuid_keep_their_files(engine, tmp_path):
    with ExitStack() as stack:
        there, here = (stack.enter_context(database(e)) for e in (engine.removeprefix(PORTABLE), engine))
        for db, name in ((there, "there"), (here, "here")):
            (tmp_path / name).mkdir()
            db.define_table("note", Field("text", length=64), Field("file", "upload", uploadfolder=str(tmp_path / name)))
            db.commit()
        for content in (b"a", b"b"):  # the same text, and other files
            there.note.insert(text="Note", file=there.note.file.store(io.BytesIO(content), "a.txt"))
        there.commit()
        data = io.BytesIO()
        export_file(there, data, "bundle")
        for counts in ({"new": 2}, {"same": 2}):
            data.seek(0)
            assert outcomes(import_file(here, data)) == {"note": counts}
            here.commit()
        found = sorted((tmp_path / "here" / row.file).read_bytes() for row in here(here.note).select())
        assert found == [b"a", b"b"]
        data.seek(0)
        assert outcomes(import_file(there, data)) == {"note": {"same": 2}}


def test_rejected_rows_of_a_bundle_can_be_mended(places):
    there, here = places
    fill(there)
    data = there.bundle()
    rows = []
    options = ImportOptions(strict=False, on_problem=rows.append, transform=_spoiled, uploads=here.folder)
    report = run_import(here.db, io.BytesIO(data), options)
    here.db.commit()
    assert outcomes(report)["org"] == {"new": 2, "rejected": 1}
    mended = b"".join(rejected_rows(io.BytesIO(data), rows)).decode()
    assert [line.split(",")[0].split(" ")[0] for line in mended.splitlines() if ",Anna," in line] == ['"org']
    assert "org.sync_problem,org.id,org.uuid,org.name,org.logo" in mended
    report = import_csv(here.db, io.BytesIO(mended.encode()))
    here.db.commit()
    assert outcomes(report) == {"org": {"new": 1}, "person": {"new": 1}}


def _spoiled(row):
    return row | {"modified_on": "never"} if row["uuid"] == "o1" else row


@pytest.mark.parametrize("engine", ENGINES)
def test_undo_of_a_bundle(places, tmp_path):
    there, here = places
    fill(there)
    here.store("org", "logo", b"old", uuid="o1", name="O", modified_on=THEN)
    here.db.commit()
    before, old = contents(here.db), here.name("org", "logo", "o1")
    kept = Kept(tmp_path / "kept")
    here.take(there.bundle(), keep=kept)
    assert here.content("org", "logo", "o1") == b"logo 1"
    report = undo_import(here.db, kept)
    here.db.commit()
    assert (report.removed, report.restored, report.kept) == (6, 1, ())
    assert here.name("org", "logo", "o1") == old
    assert here.content("org", "logo", "o1") == b"old"
    assert records_of(contents(here.db)) == records_of(before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("side", [THEIRS, OURS])
def test_the_other_sides_file_is_there_when_it_is_picked(places, tmp_path, side):
    there, here = places
    define_tables(here.db, "plugin_sync_alias", "plugin_sync_conflict")
    here.store("org", "logo", b"ours", uuid="o1", name="O", modified_on=NOW)
    there.store("org", "logo", b"theirs", uuid="o1", name="O", modified_on=NOW)
    here.db.commit()
    kept = Kept(tmp_path / "kept")
    report = here.take(there.bundle(tables=["org"]), keep=kept)
    assert outcomes(report) == {"org": {"conflict": 1}}
    conflicts.note_conflicts(here.db, kept.path(THEIR_FILE), "job", report.origin, LATER)
    [conflict] = conflicts.list_open(here.db, "", "", 0, 10)
    conflicts.decide_one(here.db, conflict, {"logo": Pick(side)}, LATER)
    here.db.commit()
    assert here.content("org", "logo", "o1") == (b"theirs" if side == THEIRS else b"ours")
    assert sorted(here.files().values()) == [b"ours", b"theirs"]


def records_of(found):
    """Without the sequences of ids, which an undo does not turn back."""
    return [line for line in found if "sqlite_sequence" not in line] if isinstance(found, list) else found


@pytest.mark.parametrize("engine", ["sqlite"])
def test_fields_with_folders_of_their_own(engine, tmp_path):
    with place(engine, tmp_path / "there") as there, place(engine, tmp_path / "here", separate=True) as here:
        fill(there)
        here.take(there.bundle())
        assert here.content("org", "logo", "o1") == b"logo 1"
        assert any(path.startswith("org.logo/") for path in here.files())
        data = here.bundle()
        assert here.report.missing_files == ()
        assert outcomes(there.take(data, policy="theirs")) == {"org": {"same": 3}, "person": {"same": 4}}


@pytest.mark.parametrize("engine", ["sqlite"])
def test_files_kept_in_the_database_travel_as_data(engine, tmp_path):
    def tables(db):
        db.define_table(
            "doc", Field("uuid", length=64), Field("file", "upload", uploadfield="data"), Field("data", "blob", default=b"")
        )

    with database(engine) as there, database(engine) as here:
        tables(there)
        tables(here)
        there.doc.insert(uuid="d1", file="doc.file.0123456789abcdef.612e747874.txt", data=b"\0content")
        file = io.BytesIO()
        assert export_file(there, file, "bundle").missing_total == 0
        file.seek(0)
        import_file(here, file)
        assert here(here.doc).select().first().data == there(there.doc).select().first().data == "\0content"
        assert here(here.doc).select().first().file == "doc.file.0123456789abcdef.612e747874.txt"


HOSTILE_NAMES = (
    "../../../etc/passwd",
    "..\\..\\x.txt",
    "x\r\nSet-Cookie: a=b.txt",
    "\u202egpj.exe",
    "." * 300 + "txt",
    "a" * 400 + ".tar.gz",
    "Größe 日本.jpg",
    "",
    "con",
)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("given", HOSTILE_NAMES)
def test_names_are_made_anew(places, given):
    there, here = places
    name = f"org.logo.0123456789abcdef.{given.encode().hex()}.txt"[:250] if given else "org.logo.x.txt"
    (there.folder / name).write_bytes(b"content")
    there.db.org.insert(uuid="o1", name="O", logo=name)
    there.db.commit()
    here.take(there.bundle())
    [(path, content)] = here.files().items()
    match = STORED_NAME.match(path)
    assert content == b"content"
    assert match
    assert path.isascii()
    assert len(path) <= 240
    shown, _ = here.db.org.logo.retrieve(path, nameonly=True)
    assert not set(shown) & set("/\\\r\n\"'\u202e")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_only_files_inside_the_folder_leave(places, tmp_path):
    there, _ = places
    (tmp_path / "secret").write_text("canary", encoding="ascii")
    (there.folder / "org.logo.0123456789abcdef.61.txt").symlink_to(tmp_path / "secret")
    there.db.org.insert(uuid="o1", logo="org.logo.0123456789abcdef.61.txt")
    there.db.org.insert(uuid="o2", logo="../secret")
    data = there.bundle()
    assert b"canary" not in data
    assert there.report.missing_total == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_manifest_says_what_is_in_it(places):
    there, _ = places
    fill(there, 1)
    bundle = zipfile.ZipFile(io.BytesIO(there.bundle(instance=ME)))
    assert bundle.testzip() is None
    manifest = json.loads(bundle.read("manifest.json"))
    made = manifest.pop("made_utc")
    assert made.endswith("Z")
    assert {k: v for k, v in manifest.items() if k not in ("tables", "files")} == {
        "format": "plugin_sync bundle",
        "version": 1,
        "base_uuid": "beef",
        "instance": ME.uuid,
        "name": "Main",
        "missing": [],
    }
    [org, person] = manifest["tables"]
    assert (org["name"], org["member"], org["rows"]) == ("org", "tables/org.csv", 1)
    assert org["columns"] == [
        ["id", "id"], ["uuid", "string"], ["name", "string"], ["logo", "upload"], ["modified_on", "datetime"]
    ]  # fmt: skip
    assert person["columns"][-1] == ["org.uuid", "uuid"]
    assert [(f["member"], f["table"], f["field"], f["size"]) for f in manifest["files"]] == [
        ("uploads/000001", "org", "logo", 6), ("uploads/000002", "person", "photo", 2000)
    ]  # fmt: skip


@pytest.mark.parametrize("engine", ["sqlite"])
def test_large_files_take_little_memory(places):
    there, here = places
    size = 24 << 20
    for number in range(3):
        there.store("org", "logo", os.urandom(size), uuid=f"o{number}", name="O", modified_on=NOW)
    there.db.commit()
    path = there.folder.parent / "bundle.zip"
    tracemalloc.start()
    try:
        with path.open("wb") as file:
            export_file(there.db, file, "bundle")
        with path.open("rb") as file:
            import_file(here.db, file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert here.content("org", "logo", "o2") == there.content("org", "logo", "o2")
    assert peak < 8 << 20, f"{peak >> 20} MB for {3 * size >> 20} MB"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_more_members_than_fit_are_said_while_it_is_made(places, monkeypatch):
    there, _ = places
    fill(there)
    monkeypatch.setattr("plugin_sync.formats.bundle.MAX_MEMBERS", 4)
    with pytest.raises(Exception, match="the bundle holds more than 4 files"):
        there.bundle()
    monkeypatch.undo()
    data = there.bundle()
    monkeypatch.setattr(archive, "MAX_MEMBERS", 4)
    with pytest.raises(Exception, match="the bundle holds more than 4 files"):
        there.take(data)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_text_stream_that_cannot_go_back_is_no_bundle(places):
    there, _ = places
    with pytest.raises(Exception, match="it is a ZIP archive"):
        import_file(there.db, _Pipe(there.bundle()), trust=Trust())


class _Pipe(io.RawIOBase):
    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(buffer)
