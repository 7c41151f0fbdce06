"""`./run sync` as it is typed: two real instances, a pipe between them, JSON, exit codes, signals."""

import json
import os
import signal
import subprocess
import time

import pytest

from ..engine.databases import ENGINES, database_uri
from ..offices import ROOT


def command(office, *arguments: object) -> list[str]:
    return [str(ROOT / "run"), "sync", "--instance", office.name, *map(str, arguments)]


def environment(office) -> dict[str, str]:
    return os.environ | {"SYNC_INSTANCES": str(office.folder.parent)}


def sync(office, *arguments: object, **options) -> subprocess.CompletedProcess:
    options = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 120} | options
    return subprocess.run(command(office, *arguments), env=environment(office), check=False, **options)


@pytest.fixture(scope="module")
def target(start_office):
    """An office without records, not served: the command line needs no server."""
    office = start_office("command-line")
    office.stop()
    return office


def test_one_office_piped_into_another(main_office, target):
    exported = subprocess.Popen(
        command(main_office, "export", "--module", "org", "--module", "gis"), env=environment(main_office), stdout=subprocess.PIPE
    )
    imported = sync(target, "import", "-", "--json", stdin=exported.stdout)
    exported.stdout.close()
    assert (exported.wait(timeout=60), imported.returncode) == (0, 4), imported.stderr  # contacts are in another module
    report = json.loads(imported.stdout)["report"]
    assert {group["table"] for group in report["groups"]} <= {"org_organisation", "org_office"}
    here, there = (dict(office.query("SELECT uuid, name FROM gis_location")) for office in (main_office, target))
    assert here == there and len(here) > 25_000


def test_what_was_imported_can_be_undone_and_is_in_the_history(jacmel_office, target, tmp_path):
    file = tmp_path / "jacmel.csv"
    before = target.query("SELECT * FROM hrm_skill ORDER BY id")
    assert sync(jacmel_office, "export", "-q", "--table", "hrm_skill", "-o", file).returncode == 0
    assert sync(target, "check", file, "-q").returncode == 3
    assert target.query("SELECT * FROM hrm_skill ORDER BY id") == before
    done = json.loads(sync(target, "import", file, "--json").stdout)
    assert len(target.query("SELECT 1 FROM hrm_skill")) == done["report"]["counts"]["new"] + len(before) > len(before)
    assert sync(target, "check", file, "-q").returncode == 0
    assert sync(target, "undo", done["job"], "-q").returncode == 0
    assert target.query("SELECT * FROM hrm_skill ORDER BY id") == before
    entries = json.loads(sync(target, "history", "--limit", 2, "--json").stdout)["entries"]
    assert [(entry["kind"], entry["state"], entry["file_name"]) for entry in entries] == [
        ("undo", "done", "jacmel.csv"),
        ("import", "done", "jacmel.csv"),
    ]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_database_as_it_was(main_office, target, tmp_path, stop):
    file = tmp_path / "main.csv"
    assert sync(main_office, "export", "-q", "-o", file).returncode == 0
    before = {table: target.query(f"SELECT count(*) FROM {table}") for table in ("pr_person", "supply_item", "org_office")}
    known = len(json.loads(sync(target, "history", "--json").stdout)["entries"])
    jobs = target.app / "private" / "plugin_sync" / "jobs"
    process = subprocess.Popen(
        command(target, "import", file), env=environment(target), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not list(jobs.glob("*.lock")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(stop)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Stopping …\nsync import: cancelled, nothing was changed\n" in err and "Traceback" not in err
    assert {table: target.query(f"SELECT count(*) FROM {table}") for table in before} == before
    entries = json.loads(sync(target, "history", "--json").stdout)["entries"]
    assert (len(entries), entries[0]["state"]) == (known + 1, "cancelled")


def test_whoever_reads_may_go_away(main_office):
    process = subprocess.Popen(
        command(main_office, "export", "-q"), env=environment(main_office), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.read(5) == b"TABLE"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    entries = json.loads(sync(main_office, "history", "--direction", "export", "--json").stdout)["entries"]
    assert all(entry["state"] == "done" and entry["size_bytes"] > 5 for entry in entries)


def test_help_and_wrong_usage_need_no_instance(tmp_path):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        settings = os.environ | {"SYNC_INSTANCES": str(tmp_path)}
        line = [str(ROOT / "run"), "sync", *arguments]
        return subprocess.run(line, env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert "export" in run("--help").stdout
    assert "--policy" in run("import", "--help").stdout
    assert run("export", "--nothing").returncode == 2
    missing = run("--instance", "mistyped", "tables")
    assert missing.returncode != 0 and "There is no instance mistyped" in missing.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "sqlite"])
def test_on_a_database_server(start_office, jacmel_office, engine):
    with database_uri(engine) as uri:
        office = start_office(f"command-line-{engine}", DATABASE_URI=uri)
        try:
            file = sync(jacmel_office, "export", "-q", "--module", "hrm", "--module", "org", "--module", "pr", "--module", "gis")
            done = json.loads(sync(office, "import", "-", "--json", stdin=None, input=file.stdout).stdout)
            assert done["state"] == "done" and done["report"]["counts"]["new"] > 1000
            assert sync(office, "undo", done["job"], "-q").returncode == 0
            tables = json.loads(sync(office, "tables", "--included", "--module", "pr", "--json").stdout)
            assert {table["table"]: table["rows"] for table in tables} == {
                "pr_person": 0,
                "pr_group": 0,
                "pr_group_membership": 0,
            }
        finally:
            office.stop()
