"""A bundle goes from one office to another through the pages, with a thousand files, and comes out as it went in."""

import hashlib
import io
import json
import random
import re
import sqlite3
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest

from ..engine.databases import FULL
from .pages import PLUGIN, apply, follow, heading, key_of, settle, text_of, together, upload

pytestmark = pytest.mark.browser
FILES, SIZE = 1000, 100_000
MEMORY = 64 << 20
NEW = "2031-01-01 00:00:00"


def fill(office, count, size=SIZE, seed=0):
    """Insert shapefile layers with files, as the application stores them; return their contents by uuid."""
    folder, held, rows = office.app / "uploads", {}, []
    folder.mkdir(exist_ok=True)
    for number in range(count):
        content = random.Random(seed + number).randbytes(size)
        name = f"gis_layer_shapefile.shapefile.{seed + number:016x}.{f'Layer {number}.zip'.encode().hex()}.zip"
        (folder / name).write_bytes(content)
        rows.append((f"layer-{seed + number}", f"Layer {number}", name, NEW))
        held[f"layer-{seed + number}"] = content
    connection = sqlite3.connect(office.database, timeout=30)
    with connection:
        sql = "INSERT INTO gis_layer_shapefile (uuid, name, shapefile, modified_on) VALUES (?, ?, ?, ?)"
        connection.executemany(sql, rows)
    connection.close()
    return held


def sent(client, path, to):
    """Download a file to disk as it comes; return its size."""
    with client.opener.open(f"{client.url.rsplit('/sync/', 1)[0]}{path}", timeout=60) as answer, to.open("wb") as file:
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"].endswith('.zip"')
        while data := answer.read(1 << 20):
            file.write(data)
    return to.stat().st_size


class Memory:
    """What the server's process held, and the most it held since."""

    def __init__(self, office):
        self.status = Path(f"/proc/{office.process.pid}/status")
        Path(f"/proc/{office.process.pid}/clear_refs").write_text("5", encoding="ascii")  # the highest is counted anew
        self.before = self.read("VmRSS")

    def read(self, name):
        return int(re.search(rf"{name}:\s+(\d+) kB", self.status.read_text(encoding="ascii"))[1]) << 10

    def grown(self):
        return self.read("VmHWM") - self.before


@pytest.fixture(scope="module")
def offices(start_office):
    return start_office("bundle-from"), start_office("bundle-to")


def test_a_thousand_files_arrive_byte_for_byte(start_office, tmp_path):
    """All are compared as they lie there, and downloaded: each tenth, or all when everything is required."""
    there, here = start_office("bundle-many-from"), start_office("bundle-many-to")
    held = fill(there, FILES)
    sender, receiver = there.administrator(), here.administrator()
    for client in (sender, receiver):  # what a first request loads is not the transfer's
        client.get(f"{PLUGIN}export?format=bundle")
        upload(client, b"org_organisation.uuid,org_organisation.name\r\nx,X\r\n")
        for _ in range(24):  # in each thread of the server
            client.get(f"{PLUGIN}import_file")
    path = tmp_path / "all.zip"
    memory, started = Memory(there), time.monotonic()
    size = sent(sender, f"{PLUGIN}export_file?format=bundle", path)
    print(f"export: {size:,} bytes in {time.monotonic() - started:.1f} s, {memory.grown() >> 20} MB")
    assert size > FILES * SIZE
    assert memory.grown() < MEMORY

    memory, started = Memory(here), time.monotonic()
    check = post_file(receiver, path)
    assert together(check) == {"new": FILES, "changed": 0, "same": 0, "older": 0, "conflict": 0, "rejected": 0}
    assert not list((here.app / "uploads").glob("gis_layer*"))
    result = apply(receiver, check)
    assert heading(result) == "Imported", text_of(result)
    print(f"import: {time.monotonic() - started:.1f} s, {memory.grown() >> 20} MB")
    assert memory.grown() < MEMORY

    names = dict(here.query("SELECT uuid, shapefile FROM gis_layer_shapefile"))
    assert {uuid: (here.app / "uploads" / names[uuid]).read_bytes() for uuid in held} == held
    for uuid, content in list(held.items())[:: 1 if FULL else 10]:
        answer = receiver.get(f"/sync/default/download/{names[uuid]}")
        assert answer.status == 200
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(content).digest(), uuid
    number = 7
    assert f'filename="Layer_{number}.zip"' in answer_headers(receiver, names[f"layer-{number}"])
    again = post_file(receiver, path)
    assert "All 1,000 rows are already here." in text_of(again)
    assert there.tickets() == here.tickets() == []


def answer_headers(client, name):
    return client.get(f"/sync/default/download/{name}").headers["Content-Disposition"]


def post_file(client, path, policy="newer"):
    """Send a large file from disk through the import page, in pieces; return the page that follows."""
    fields = key_of(client.get(f"{PLUGIN}import_file")) | {"policy": policy}
    boundary = "a-boundary-of-this-test"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="all.zip"\r\n\r\n')
    head, tail = "".join(parts).encode(), f"\r\n--{boundary}--\r\n".encode()
    with path.open("rb") as file:
        length = str(len(head) + path.stat().st_size + len(tail))
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": length}
        pieces = iter([head, *iter(lambda: file.read(1 << 20), b""), tail])
        address = f"{client.url.rsplit('/sync/', 1)[0]}{PLUGIN}import_file"
        return follow(client, client._open(urllib.request.Request(address, pieces, headers)))


@pytest.mark.parametrize("script", [True, False])
def test_a_bundle_by_hand(offices, open_page, tmp_path, script):
    """Chosen, downloaded, checked, imported and undone in a browser."""
    there, here = offices
    held = fill(there, 2, 2000, seed=10_000 + script * 100)
    wanted = list(held)[-1]
    before = here.query("SELECT count(*) FROM gis_layer_shapefile")
    page = open_page(there, java_script_enabled=script)
    page.goto("export")
    page.get_by_role("navigation", name="Format").get_by_role("link", name="Bundle with uploaded files").click()
    assert "It holds the uploaded files too." in page.inner_text(".ps-lead")
    page.get_by_role("checkbox", name=re.compile("Shapefile layers")).check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download chosen tables").click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    assert file.suffix == ".zip"
    page = open_page(here, java_script_enabled=script)
    page.goto("import_file")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check file").click()
    page.get_by_text("Nothing has been changed yet.").wait_for()
    page.get_by_role("button", name=re.compile("^Import ")).click()
    page.wait_for_url("**/result/**")
    [(name,)] = here.query("SELECT shapefile FROM gis_layer_shapefile WHERE uuid = ?", wanted)
    assert here.administrator().get(f"/sync/default/download/{name}").body == held[wanted]
    page.get_by_role("link", name="Undo this import").click()
    page.get_by_role("button", name="Undo this import").click()
    page.wait_for_url("**/result/**")
    assert page.inner_text("h1") == "The import was undone"
    assert here.query("SELECT count(*) FROM gis_layer_shapefile") == before
    assert there.tickets() == here.tickets() == []


def test_a_link_for_each_module_and_what_is_no_format(offices):
    there, _ = offices
    client = there.administrator()
    page = client.get(f"{PLUGIN}export?format=bundle")
    links = re.findall(r'href="([^"]*/export_file[^"]*)"', page.text)
    assert len(links) > 2 and all("format=bundle" in link for link in links)
    answer = client.get(f"{PLUGIN}export_file?what=module&module=gis&format=bundle")
    names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
    assert names[-2:] == ["manifest.json", "manifest.sig"]
    assert "tables/gis_layer_shapefile.csv" in names and "tables/gis_layer_google.csv" not in names
    refused = client.get(f"{PLUGIN}export_file?format=docx")
    assert (refused.status, "No format is called 'docx'" in text_of(refused)) == (404, True)


def test_changes_for_one_office_as_a_bundle(offices, start_office):
    there = start_office("bundle-changes")
    fill(there, 2, 500)
    client = there.administrator()
    peer = offices[1]
    [(code, uuid)] = peer.query("SELECT base_uuid, uuid FROM sync_instance WHERE is_self = 'T'")
    there.query(
        "INSERT INTO sync_instance (base_uuid, uuid, name, state, last_update) VALUES (?, ?, 'To', 'known', ?)",
        code, uuid, NEW,
    )  # fmt: skip

    def bundle(since):
        page = client.get(f"{PLUGIN}export?for={code}&since={since}&format=bundle")
        fields = key_of(page) | {"for": code, "since": since, "format": "bundle"}
        return zipfile.ZipFile(io.BytesIO(client.post(f"{PLUGIN}export_file", fields).body)).namelist()

    assert sum(name.startswith("uploads/") for name in bundle("all")) == 2
    fill(there, 1, 500, seed=50)
    assert [name for name in bundle("changes") if not name.startswith("manifest")] == [
        "tables/gis_layer_shapefile.csv", "uploads/000001"
    ]  # fmt: skip
    assert [name for name in bundle("changes") if not name.startswith("manifest")] == []


def test_rejected_rows_of_a_bundle_are_downloaded(offices):
    there, here = offices
    fill(there, 1, 300, seed=70_000)
    there.query("INSERT INTO gis_layer_shapefile (uuid, name, modified_on) VALUES ('bad', 'Bad', 'never')")
    data = there.administrator().get(f"{PLUGIN}export_file?what=tables&table=gis_layer_shapefile&format=bundle").body
    there.query("DELETE FROM gis_layer_shapefile WHERE uuid = 'bad'")
    client = here.administrator()
    check = upload(client, data, name="data.zip")
    assert together(check)["rejected"] == 1
    result = apply(client, check)
    link = re.search(r'href="([^"]*/rejects/[^"]*)"', result.text)[1]
    rejects = client.get(link).text
    assert "gis_layer_shapefile.sync_problem" in rejects
    assert rejects.count("is not a date and time") == 1
    mended = rejects.replace(",never", f",{NEW}").encode()
    assert together(upload(client, mended))["new"] == 1


def test_hostile_archives_are_refused_with_a_sentence(offices):
    there, here = offices
    [content] = fill(there, 1, 300, seed=80_000).values()
    good = there.administrator().get(f"{PLUGIN}export_file?what=tables&table=gis_layer_shapefile&format=bundle").body
    client, before = here.administrator(), sorted((here.app / "uploads").iterdir())
    counts = here.query("SELECT count(*) FROM gis_layer_shapefile")
    for data, sentence in (
        (good[:-1], "The file is incomplete: the end of the bundle is missing. Copy it again from the USB stick."),
        (good.replace(b"uploads/000001", b"../../x/000001"), "which no bundle has."),
        (good.replace(content, content[:-1] + bytes([content[-1] ^ 1])), "The bundle's file uploads/.* is damaged"),
        (repacked(good, {"tables/gis_layer_shapefile.csv": b"gis_layer_shapefile.uuid\r\nx\r\n"}), "is not as it was written"),
    ):
        answer = upload(client, data, name="data.zip")
        assert "There is a problem" in answer.text, text_of(answer)
        assert re.search(sentence, text_of(answer)), text_of(answer)
    assert sorted((here.app / "uploads").iterdir()) == before
    assert here.query("SELECT count(*) FROM gis_layer_shapefile") == counts
    assert here.tickets() == []


def repacked(data, changes):
    """The same members packed anew, some with other contents, those without any left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = changes.get(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target.getvalue()


def test_a_pairing_file_makes_a_signature_known(offices, start_office):
    there, here = offices[0], start_office("bundle-strict")
    client, receiver = there.administrator(), here.administrator()
    data = client.get(f"{PLUGIN}export_file?what=tables&table=gis_layer_wms&format=bundle").body
    pairing = client.get(f"{PLUGIN}pairing").body
    assert re.fullmatch("[0-9a-f]{64}", json.loads(pairing)["public_key"])
    key = there.app / "private" / "plugin_sync" / "signing.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text(encoding="ascii") not in pairing.decode()
    assert "Nothing has been changed yet." in text_of(upload(receiver, data, name="data.zip"))

    settle(here, "plugins.sync.require_signature = True")
    assert "is signed by an office that is not known here" in text_of(upload(receiver, data, name="data.zip"))
    fields = key_of(receiver.get(f"{PLUGIN}instance_add")) | {"how": "file"}
    added = receiver.post(f"{PLUGIN}instance_add", fields, {"file": ("pairing.json", pairing)})
    assert "was added" in text_of(added)
    assert "Nothing has been changed yet." in text_of(upload(receiver, data, name="data.zip"))
    unsigned = repacked(data, {"manifest.sig": None})
    assert "The bundle is not signed" in text_of(upload(receiver, unsigned, name="data.zip"))
    assert here.tickets() == []
