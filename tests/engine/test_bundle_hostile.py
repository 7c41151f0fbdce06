"""Bundles made to do harm, cut, flipped and mutated: refused with an error of ours, and nothing is written."""

import hashlib
import io
import json
import random
import stat
import struct
import time
import zipfile

import pytest

from plugin_sync import FileAltered, FileFormatError, FileIncomplete, FileProblem, SyncError
from plugin_sync.formats import archive
from plugin_sync.formats.archive import MAX_MEMBERS, Archive
from plugin_sync.formats.bundle_reading import BundleReader, is_bundle, told_rows

from .bundles import place
from .databases import FULL
from .states import contents

MUTATIONS, LIMIT_S = 5_000, 10
ALIEN = "which no bundle has"


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    with place("sqlite", tmp_path_factory.mktemp("hostile") / "there") as there:
        for number in range(3):
            there.store("org", "logo", random.Random(number).randbytes(400), f"L{number}.png", uuid=f"o{number}", name="Anna")
        there.db.commit()
        yield there


@pytest.fixture(scope="module")
def good(there):
    return there.bundle()


@pytest.fixture
def refuses(tmp_path):
    """Give a function that imports bytes, and asserts that they are refused and that nothing was written."""
    with place("sqlite", tmp_path / "here") as here:
        before = contents(here.db)

        def refuses(data, kind=FileProblem, match=None):
            with pytest.raises(kind, match=match):
                here.take(data)
            here.db.rollback()
            assert (contents(here.db), here.files()) == (before, {})
            assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]

        yield refuses


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def packed(found, **attributes):
    """Pack (name, content) pairs as any program may; `attributes` are set at each entry whose name is not the manifest's."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in found:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items() if name != "manifest.json" else ():
                setattr(info, key, value)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("warnings.warn", lambda *_, **__: None)  # of a name that is there twice
                new.writestr(info, content)
    return target.getvalue()


def with_manifest(data, change):
    """The same bundle with another manifest."""
    found = members(data)
    manifest = json.loads(found["manifest.json"])
    change(manifest, found)
    found["manifest.json"] = json.dumps(manifest).encode()
    return packed(found.items())


def test_one_that_is_packed_anew_but_plainly_is_taken(good, tmp_path):
    with place("sqlite", tmp_path / "here") as here:
        assert here.take(packed(members(good).items())).counts.new == 3
        assert here.take(good).counts.same == 3


@pytest.mark.parametrize(
    "name",
    [
        "../evil.csv", "uploads/../../evil", "/etc/cron.d/evil", "C:\\evil", "uploads\\000009", "tables/evil.csv/../../x",
        "tables/.csv", "tables/", "uploads/000009/x", "uploads/x", "uploads/\u0661\u0662\u0663\u0664\u0665\u0666",
        "tables/x.csv\0.txt", "x.py", "manifest.json.bak", "tables/x.csv ", "tables/" + "x" * 200 + ".csv",
        "__MACOSX/._x", "uploads/0000010000",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(good, refuses, name):
    begin = list(members(good).items())
    spare = "tables/" + "z" * (len(name.encode()) - 11) + ".csv" if len(name.encode()) > 12 else "q" * len(name.encode())
    data = packed([*begin, (spare, b"evil")]).replace(spare.encode(), name.encode())  # zipfile itself would mend some
    refuses(data, match=ALIEN)


def test_members_that_the_manifest_does_not_list(good, refuses):
    begin = list(members(good).items())
    refuses(packed([*begin, ("tables/person2.csv", b"person2.uuid\r\nx\r\n")]), match=ALIEN)
    refuses(packed([*begin, ("uploads/000009", b"evil")]), match=ALIEN)
    for name in ("tables/org.csv", "uploads/000001", "manifest.json"):
        refuses(packed([pair for pair in begin if pair[0] != name]), match="the bundle lacks the file|ZIP archive")


@pytest.mark.parametrize("twin", ["tables/org.csv", "tables/ORG.csv", "manifest.json"])
def test_a_name_that_is_there_twice(good, refuses, twin):
    refuses(packed([*members(good).items(), (twin, b"org.uuid\r\nevil\r\n")]), FileFormatError, "twice")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices(good, refuses, kind):
    data = packed(members(good).items(), external_attr=(kind | 0o777) << 16)
    refuses(data, FileFormatError, "is a link or a folder")


def test_encrypted_members(good, refuses):
    refuses(_central(good, 8, lambda flags: flags | 0x01, "<H"), FileFormatError, "is encrypted")
    refuses(_central(good, 8, lambda flags: flags | 0x41, "<H"), FileFormatError, "is encrypted")


@pytest.mark.parametrize("method", [9, 12, 14, 93, 99])
def test_ways_of_packing_that_are_not_ours(good, refuses, method):
    refuses(_central(good, 10, lambda _: method, "<H"), match="damaged")


def _central(data, offset, change, form, which=0):
    """Change a number of an entry in the zip's directory."""
    at = struct.unpack("<L", data[-6:-2])[0]
    for _ in range(which):
        sizes = struct.unpack("<3H", data[at + 28 : at + 34])
        at += 46 + sum(sizes)
    place = at + offset
    size = struct.calcsize(form)
    (value,) = struct.unpack(form, data[place : place + size])
    return data[:place] + struct.pack(form, change(value)) + data[place + size :]


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("offset", [16, 20, 24, 42])  # checksum, packed size, size, where it begins
@pytest.mark.parametrize("change", [lambda v: v + 1, lambda v: max(v - 1, 0) or 7, lambda v: 0xFFFFFFFE, lambda v: 0xFFFFFFFF])
def test_lying_directories(good, refuses, which, offset, change):
    refuses(_central(good, offset, change, "<L", which))


def test_overlapping_members(good, refuses):
    """Two entries that share their bytes, as bombs that are small and unpack to petabytes do."""
    at = struct.unpack("<L", good[-6:-2])[0]
    first = good[at : at + 46 + sum(struct.unpack("<3H", good[at + 28 : at + 34]))]
    copy = first.replace(b"tables/org.csv", b"tables/orh.csv")
    data = good[:-22] + copy + good[-22:]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 7, 7, len(good) - 22 - at + len(copy), at, 0)
    refuses(data[:-22] + end, FileAltered, "list of files is damaged")


def test_bombs(good, refuses, monkeypatch):
    bomb = bytes(96 << 20)
    refuses(
        packed([*members(good).items(), ("tables/bomb.csv", bomb)]), FileFormatError, "would unpack to far more than it holds"
    )
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1000)
    refuses(good, FileFormatError, "would unpack to more than 0 GB")
    monkeypatch.undo()
    monkeypatch.setattr("plugin_sync.formats.bundle_reading.MAX_MANIFEST", 100)
    refuses(good, FileFormatError, "manifest.json is larger than")


def test_a_bomb_is_not_unpacked_further_than_it_says(good):
    """A member whose directory tells a smaller size than it unpacks to is given up right there."""
    data = packed([("uploads/000001", bytes(24 << 20))])
    data = _central(data, 24, lambda _: 1000, "<L")
    data = data[:22] + struct.pack("<L", 1000) + data[26:]  # and its header the same
    read = 0
    with pytest.raises(FileAltered):
        for piece in Archive(io.BytesIO(data)).pieces("uploads/000001"):
            read += len(piece)
    assert read <= archive.CHUNK


def test_many_members(refuses):
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFE, 0xFFFE, 10, 0, 0)
    refuses(b"PK\3\4" + bytes(26) + b"tables/" + bytes(100) + end)
    count = MAX_MEMBERS + 1
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, 37, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 37, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 37, 0, 0)
    refuses(b"PK\3\4" + bytes(26) + b"tables/" + record + locator + end, FileFormatError, "holds more than 100,000 files")


def test_a_bundle_cut_anywhere(good, refuses):
    for size in range(1, len(good), 1 if FULL else 23):
        refuses(good[:size])
    refuses(good[:-1], FileIncomplete, "the end of the bundle is missing")
    refuses(good + b"\0", FileIncomplete, "the end of the bundle is missing")
    refuses(good + good)


def test_a_bundle_within_another(good, refuses, tmp_path):
    """What is in a bundle's files is nobody's business: it comes out as it went in, and is never unpacked."""
    refuses(packed([("uploads/000001", good)]))
    with place("sqlite", tmp_path / "a") as a, place("sqlite", tmp_path / "here" / "b") as b:
        a.store("org", "logo", good, "inner.zip", uuid="o1", name="O")
        a.db.commit()
        b.take(a.bundle())
        assert list(b.files().values()) == [good]


@pytest.mark.parametrize(
    "change",
    [
        lambda m, _: m["tables"][0].update(sha256="0" * 64),
        lambda m, _: m["files"][0].update(sha256=hashlib.sha256(b"other").hexdigest()),
        lambda m, _: m["tables"][0].update(rows=2),
        lambda m, _: m["tables"][0].update(rows=-1),
        lambda m, _: m["tables"][0].update(rows=True),
        lambda m, _: m["tables"][0].update(size=1),
        lambda m, _: m["tables"][0].update(member="uploads/000001"),
        lambda m, _: m["tables"][0].update(name="../org"),
        lambda m, _: m["tables"].append(m["tables"][0]),
        lambda m, _: m["tables"].pop(),
        lambda m, _: m["files"].pop(),
        lambda m, _: m["files"][0].update(name="../../evil.py"),
        lambda m, _: m["files"][0].update(name=""),
        lambda m, _: m["files"][0].update(member="../../evil.py"),
        lambda m, _: m["files"][0].update(member="tables/org.csv"),
        lambda m, _: m["files"][1].update(name=m["files"][0]["name"]),
        lambda m, _: m["files"][1].update(member=m["files"][0]["member"]),
        lambda m, _: m["files"][0].update(extra=1),
        lambda m, _: m["files"][0].update(table=["org"]),
        lambda m, _: m.update(version=2),
        lambda m, _: m.update(version="1"),
        lambda m, _: m.update(format="zip"),
        lambda m, _: m.update(tables={}, files="x"),
        lambda m, _: m.update(tables=None),
        lambda m, _: m.update(name=5),
        lambda m, _: m.update(name="x" * 1000),
        lambda m, _: m.pop("missing"),
        lambda m, found: found.update({"tables/org.csv": found["tables/org.csv"].replace(b"Anna", b"Otto")}),
        lambda m, found: found.update({"uploads/000002": found["uploads/000002"][::-1]}),
    ],
)
def test_a_manifest_that_is_not_right(good, refuses, change):
    refuses(with_manifest(good, change))


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 200_000, b'{"format": 1e999}', b"9" * 10_000])
def test_a_manifest_that_is_none(good, refuses, text):
    refuses(packed([*((n, c) for n, c in members(good).items() if n != "manifest.json"), ("manifest.json", text)]))


def test_tables_that_never_come_in(there, refuses):
    found = members(there.bundle())
    sha256 = hashlib.sha256(data := b"auth_user.email\r\nx\r\n").hexdigest()
    manifest = json.loads(found["manifest.json"])
    manifest["tables"] = [{"name": "auth_user", "member": "tables/auth_user.csv", "rows": 1, "size": len(data), "sha256": sha256}]
    manifest["tables"][0]["columns"] = [["email", "string"]]
    manifest["files"] = []
    pairs = [("tables/auth_user.csv", data), ("manifest.json", json.dumps(manifest).encode())]
    refuses(packed(pairs), SyncError, "auth_user, which is never imported")


def test_mutated_bundles(good, tmp_path):
    """Whatever bytes are changed: the same records, or an error of ours, nothing written, and never for long."""
    source, found = random.Random(20260502), set()
    with place("sqlite", tmp_path / "here") as here:
        before, slowest = contents(here.db), 0.0
        for _ in range(MUTATIONS):
            data = mutated(good, source)
            started = time.monotonic()
            try:
                reader = BundleReader(io.BytesIO(data))
                rows = [row for section in reader.sections() for batch in section.batches for row in batch.rows]
                files = [b"".join(reader.attachments.pieces(file)) for file in reader.attachments.files]
            except FileProblem as error:
                found.add(error.code)
            else:  # bytes that nobody reads: times, versions
                assert (len(rows), len(files)) == (3, 3)
                found.add("same")
            assert told_rows(io.BytesIO(data)) >= 0
            slowest = max(slowest, time.monotonic() - started)
        for _ in range(MUTATIONS // 50):
            try:
                report = here.take(data := mutated(good, source))
            except SyncError:
                here.db.rollback()
                assert (contents(here.db), here.files()) == (before, {})
            else:
                assert report.counts.new == 3
                here.db(here.db.org).delete()
                here.db.executesql("DELETE FROM sqlite_sequence")
                here.db.commit()
                for path in here.folder.iterdir():
                    path.unlink()
                before = contents(here.db)
    assert found == {"file_altered", "file_format", "file_incomplete", "same"}
    assert slowest < LIMIT_S


def mutated(data, source):
    """Some bytes changed, taken out, put in, moved or doubled; most often in the directory."""
    changed = bytearray(data)
    directory = struct.unpack("<L", data[-6:-2])[0]
    for _ in range(source.choice((1, 1, 1, 2, 5, 20))):
        at = source.randrange(directory, len(changed)) if source.random() < 0.5 else source.randrange(len(changed))
        size = source.choice((1, 1, 2, 4, 30))
        kind = source.randrange(8)
        if kind < 4:
            changed[at : at + 1] = bytes([changed[at] ^ (1 << source.randrange(8))])
        elif kind == 4:
            changed[at : at + size] = source.randbytes(size)
        elif kind == 5:
            del changed[at : at + size]
        elif kind == 6:
            changed[at:at] = changed[(other := source.randrange(len(changed))) : other + size]
        else:
            changed[at : at + 4] = source.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"PK\1\2", b"PK\3\4", b"\xff\xff\xff\x7f"))
    return bytes(changed)


def test_what_begins_like_a_bundle(good):
    assert is_bundle(good[:512])
    assert not is_bundle(b"PK\3\4" + bytes(26) + b"[Content_Types].xml")
    assert not is_bundle(b"PK\3\4")
