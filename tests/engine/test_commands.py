"""The command line on every database: what it answers, its exit codes, and what it leaves behind."""

import io
import json
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from plugin_sync import errors
from plugin_sync.commands import COMMANDS, Context, Exit, exits, main, parse
from plugin_sync.commands.terminal import EVERY_S, Line, printable, table_text
from plugin_sync.errors import PeerSilent
from plugin_sync.instances import ensure_self, own_instance
from plugin_sync.jobs import COMMAND_LINE, Imports, Outbox, in_thread
from plugin_sync.options import Options
from plugin_sync.sent import Sent
from plugin_sync.settings import Settings
from plugin_sync.signing import own_signer
from plugin_sync.syncs import Syncs
from plugin_sync.vault import Vault

from .databases import ENGINES, shared_database
from .jobbing import connect


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Keyboard(io.BytesIO):
    def isatty(self):
        return True


class Office:
    """An application with one table, and its command line."""

    def __init__(self, db, folder: Path, name: str):
        self.db, self.folder = db, folder
        self.own = ensure_self(db, name=name)
        db.commit()
        self.settings = Settings(uuid_only=True)

    def connect(self, url: str, token: str):
        """Return no transport: the other office is away."""
        raise PeerSilent(f"nothing answers at {url}")

    def syncs(self, imports: Imports, private: Path) -> Syncs:
        """What talks to other instances, to none of which there is a network."""
        sent, vault = Sent(private / "synced"), Vault(private / "key")
        return Syncs(self.db, imports, sent, vault, private / "syncs", lambda: self.connect)

    def run(self, *arguments: object, stdin: bytes | io.BytesIO = b"", terminal: bool = False) -> SimpleNamespace:
        private = self.folder / "private"
        imports = Imports(
            self.db,
            private / "imports",
            self.settings,
            self.own,
            lambda: f"{self.own.base_uuid}-new",
            signer=lambda: own_signer(private / "signing.key"),
        )
        out, err = io.BytesIO(), Terminal() if terminal else io.StringIO()
        context = Context(
            self.db,
            self.settings,
            Options(),
            self.own,
            imports,
            Outbox(private / "outbox", Sent(private / "checkpoints")),
            lambda job_uuid: in_thread(self.db, lambda: imports.run(job_uuid), SimpleNamespace()),
            lambda: self.syncs(imports, private),
            stdin if isinstance(stdin, io.BytesIO) else io.BytesIO(stdin),
            out,
            err,
        )
        code = main([str(argument) for argument in arguments], context)
        return SimpleNamespace(code=Exit(code), out=out.getvalue(), err=err.getvalue(), text=out.getvalue().decode("utf-8"))

    def json(self, *arguments: object, code: Exit = Exit.DONE, **options):
        done = self.run(*arguments, "--json", **options)
        assert done.code is code, done.err
        return json.loads(done.out)

    def names(self) -> list[str]:
        self.db.commit()
        return sorted(row.name for row in self.db(self.db.org_office).select())

    def add(self, *names: str, modified: str = "2026-05-01 10:00:00") -> None:
        for name in names:
            self.db.org_office.insert(uuid=f"u-{name}", name=name, modified_on=modified)
        self.db.commit()


@contextmanager
def an_office(engine, name):
    with shared_database(engine) as (uri, folder):
        db = connect(uri, folder, migrate=True)
        try:
            yield Office(db, Path(folder), name)
        finally:
            db.rollback()
            db.close()


@pytest.fixture(params=ENGINES)
def office(request):
    with an_office(request.param, "Jacmel") as office:
        yield office


@pytest.fixture
def other():
    with an_office("sqlite", "Leogane") as office:
        yield office


def test_a_pipe_from_one_office_to_another(office, other):
    other.add("a", "b", "c")
    office.add("old")
    exported = other.run("export", "--all")
    assert (exported.code, exported.err) == (Exit.DONE, f"3 rows of 1 table, {len(exported.out):,} bytes\n")
    found = office.json("import", "-", stdin=exported.out)
    assert (found["state"], found["report"]["counts"]["new"], found["report"]["origin"]["name"]) == ("done", 3, "Leogane")
    assert office.names() == ["a", "b", "c", "old"]
    again = office.json("import", "-", stdin=exported.out)["report"]["counts"]
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 3)
    entries = office.json("history", "--direction", "import")["entries"]
    assert [(entry["state"], entry["instance"], entry["file_name"]) for entry in entries] == [
        ("done", other.own.base_uuid, "stdin")
    ] * 2
    (export,) = other.json("history")["entries"]
    assert (export["tally"]["exported"], export["user_id"], {entry["user_id"] for entry in entries}) == (3, 0, {0})


def test_a_check_says_by_its_exit_code_whether_anything_would_change(office, other):
    other.add("a")
    file = other.run("export").out
    checked = office.json("check", "-", stdin=file, code=Exit.CHANGES)
    assert (checked["job"], checked["report"]["dry_run"], checked["report"]["counts"]["new"]) == (None, True, 1)
    assert office.names() == []
    assert office.json("history") == {"total": 0, "entries": []}
    assert not (office.folder / "private" / "imports").exists()
    assert office.run("import", "-", "--dry-run", stdin=file).code is Exit.CHANGES
    assert office.names() == []
    assert office.run("import", "-", stdin=file).code is Exit.DONE
    assert office.run("check", "-", stdin=file).code is Exit.DONE


HEAD = b"TABLE org_office\r\norg_office.uuid,org_office.name,org_office.modified_on\r\n"
BAD = HEAD + b"u-1,good,2026-05-01\r\nu-2,bad,yesterday\r\n\r\n\r\nEND"


def test_rows_that_cannot_be_taken(office, tmp_path):
    rejects = tmp_path / "rejects.csv"
    assert office.run("check", "-", "--rejects", rejects, stdin=BAD).code is Exit.REJECTED
    wanted = rejects.read_text(encoding="utf-8")
    assert "yesterday" in wanted and "good" not in wanted
    rejects.unlink()

    strict = office.run("import", "-", "--strict", "--rejects", rejects, stdin=BAD)
    assert (strict.code, office.names()) == (Exit.REJECTED, [])
    assert "table org_office, line 4, column modified_on: is not a date" in strict.err
    assert rejects.read_text(encoding="utf-8") == wanted
    rejects.unlink()
    assert list((office.folder / "private" / "imports").iterdir()) == []  # nobody is asked to go on with it

    lenient = office.run("import", "-", "--rejects", rejects, stdin=BAD)
    assert (lenient.code, office.names()) == (Exit.REJECTED, ["good"])
    assert "1 × org_office, modified_on: Is not a date" in lenient.text
    mended = rejects.read_text(encoding="utf-8").replace("yesterday", "2026-05-02")
    assert office.run("import", "-", stdin=mended.encode("utf-8")).code is Exit.DONE
    assert office.names() == ["bad", "good"]


def test_an_import_is_undone_once(office, other):
    other.add("a", "b")
    job = office.json("import", "-", stdin=other.run("export").out)["job"]
    looked = office.json("undo", job, "--dry-run")
    assert (looked["job"], looked["report"]["removed"], office.names()) == (None, 2, ["a", "b"])
    undone = office.json("undo", job)
    assert (undone["state"], undone["report"]["removed"], office.names()) == ("done", 2, [])
    assert office.json("history", "--direction", "undo")["entries"][0]["user_id"] == COMMAND_LINE
    again = office.run("undo", job)
    assert again.code is Exit.SETTINGS and "cannot be undone" in again.err
    assert office.run("undo", "nothing").code is Exit.SETTINGS


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("callback", ["_before_insert", "_after_insert"])
def test_a_signal_undoes_what_was_done_and_says_so(office, other, stop, callback):
    """The signal comes while the rows are compared, and while they are in the table but not committed."""
    other.add("a", "b")
    before = signal.getsignal(stop)  # ignored, perhaps: where the tests run in the background
    stopped = []

    def interrupt(*_row: object) -> None:
        if not stopped:
            stopped.append(True)
            os.kill(os.getpid(), stop)
            time.sleep(1.2)  # until the watch has seen the wish

    getattr(office.db.org_office, callback).append(interrupt)
    done = office.run("import", "-", stdin=other.run("export").out)
    assert (done.code, office.names(), stopped) == (Exit.CANCELLED, [], [True])
    assert done.err == "Stopping …\nsync import: cancelled, nothing was changed\n"
    (entry,) = office.json("history")["entries"]
    assert entry["state"] == "cancelled"
    assert signal.getsignal(stop) is before


def test_a_signal_stops_an_export_and_leaves_the_former_file(office, tmp_path, monkeypatch):
    office.add("a")
    target = tmp_path / "out.csv"
    target.write_text("the former one", encoding="utf-8")
    calls = []

    def stop(self, text):
        calls.append(text)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Line, "show", stop)
    done = office.run("export", "-o", target)
    assert (done.code, done.err) == (Exit.CANCELLED, "sync export: stopped, nothing was changed\n")
    assert calls and target.read_text(encoding="utf-8") == "the former one"
    assert list(tmp_path.iterdir()) == [target]
    assert office.json("history")["total"] == 0


def test_a_signal_stops_a_check(office, other, monkeypatch):
    other.add("a")
    file = other.run("export").out
    with monkeypatch.context() as patch:
        patch.setattr(Line, "show", lambda self, text: os.kill(os.getpid(), signal.SIGINT))
        done = office.run("check", "-", stdin=file)
    assert (done.code, done.err) == (Exit.CANCELLED, "sync check: stopped, nothing was changed\n")
    assert office.run("check", "-", stdin=file).code is Exit.CHANGES


@pytest.mark.parametrize(
    ("typed", "code", "names"), [("y", Exit.DONE, ["a"]), ("", Exit.CANCELLED, []), ("no", Exit.CANCELLED, [])]
)
def test_who_sits_at_a_terminal_is_asked(other, tmp_path, typed, code, names):
    with an_office("sqlite", "Jacmel") as office:
        other.add("a")
        file = tmp_path / "a.csv"
        other.run("export", "-o", file)
        done = office.run("import", file, stdin=Keyboard(f"{typed}\n".encode()), terminal=True)
        assert (done.code, office.names()) == (code, names)
        assert "Import 1 new and 0 changed rows? [y/N] " in done.err
        assert [e["state"] for e in office.json("history")["entries"]] == ["done" if names else "cancelled"]
        assert "[y/N]" not in office.run("import", file, "--yes", stdin=Keyboard(b""), terminal=True).err
        assert "[y/N]" not in office.run("import", file, stdin=Keyboard(b""), terminal=True).err  # nothing would change


def test_an_export_for_an_instance_holds_what_has_changed(office, other, tmp_path):
    code = other.own.base_uuid
    assert office.run("instances", "add", "--file", "-", stdin=other.run("instances", "pairing").out).code is Exit.DONE
    office.add("a", "b")
    first = office.json("export", "--for", code, "-o", tmp_path / "1.csv")
    office.add("c")
    second = office.json("export", "--for", code.upper(), "-o", tmp_path / "2.csv")
    again = office.json("export", "--for", code, "--since", "again", "-o", tmp_path / "3.csv")
    everything = office.json("export", "--for", code, "--since", "all", "-o", tmp_path / "4.csv")
    assert [found["total"] for found in (first, second, again, everything)] == [2, 1, 1, 3]
    for number in (1, 2):
        assert other.run("import", tmp_path / f"{number}.csv", "-q").code is Exit.DONE
    assert other.names() == ["a", "b", "c"]
    unsent = office.run("export", "--for", code, "-o", tmp_path / "missing" / "x.csv")
    assert unsent.code is Exit.UNWRITABLE
    assert office.json("export", "--for", code, "-o", tmp_path / "5.csv")["total"] == 0


def test_instances_are_kept(office, tmp_path):
    assert office.run("instances", "add", "ab12", "--name", "Cayes", "--url", "https://cayes.example.org").code is Exit.DONE
    assert office.run("instances", "pause", "AB12").err == "Cayes is paused.\n"
    assert [(p["base_uuid"], p["state"]) for p in office.json("instances")] == [
        (office.own.base_uuid, "self"),
        ("ab12", "paused"),
    ]
    assert office.json("instances", "resume", "ab12") == {"code": "ab12", "done": "resume"}
    refused = office.run("instances", "add", "ab12", "--name", "Other", "--url", "nothing")
    assert refused.code is Exit.USAGE
    assert "the address must begin with" in refused.err.lower() and "already that of Cayes" in refused.err
    assert office.run("instances", "pairing", "-o", tmp_path / "pairing.json").code is Exit.DONE
    assert json.loads((tmp_path / "pairing.json").read_text(encoding="utf-8"))["base_uuid"] == office.own.base_uuid
    assert office.run("instances", "add", "--file", tmp_path / "pairing.json").code is Exit.USAGE
    assert office.run("instances", "remove", office.own.base_uuid).code is Exit.SETTINGS
    assert office.run("instances", "remove", "ab12").code is Exit.DONE
    assert office.run("instances", "list").text.count("\n") == 2
    assert own_instance(office.db) == office.own


def test_tables_are_listed(office):
    office.add("a", "b")
    found = {table["table"]: table for table in office.json("tables")}
    assert (found["org_office"]["rows"], found["org_office"]["included"], found["org_office"]["module"]) == (2, True, "org")
    assert found["sync_instance"]["included"] is False and "never leaves" in found["sync_instance"]["reason"]
    assert [table["table"] for table in office.json("tables", "--included", "--module", "org")] == ["org_office"]
    assert office.run("tables", "--included").text == (
        "module  table       rows  travels or why not\norg     org_office     2  travels\n"
    )


def test_the_history_is_filtered(office, other):
    other.add("a")
    office.run("import", "-", stdin=other.run("export").out)
    office.run("export", "--table", "org_office")
    assert office.json("history")["total"] == 2
    assert [entry["kind"] for entry in office.json("history", "--instance", other.own.base_uuid)["entries"]] == ["import"]
    assert office.json("history", "--to", "2001-01-01")["total"] == 0
    assert office.json("history", "--table", "org_office", "--from", "2001-01-01", "--result", "done")["total"] == 2
    shown = office.run("history", "--limit", "1")
    assert shown.text.count("\n") == 2 and shown.err == "1 of 2 entries; --limit shows more\n"
    assert office.run("history", "--instance", "ffff").code is Exit.SETTINGS


WRONG = [
    (["export", "--module", "nothing"], Exit.SETTINGS, "no module is called 'nothing'. There are: org."),
    (["export", "--table", "auth_user"], Exit.SETTINGS, "no table is called"),
    (["export", "--table", "sync_instance"], Exit.SETTINGS, "does not travel"),
    (["export", "--for", "ffff"], Exit.SETTINGS, "no instance with this code"),
    (["export", "--since", "all"], Exit.USAGE, "--since needs --for"),
    (["export", "--all", "--module", "org"], Exit.USAGE, "--all does not go with"),
    (["export", "-o", "{tmp}/nowhere/x.csv"], Exit.UNWRITABLE, "No such file or directory"),
    (["export", "-o", "{tmp}"], Exit.UNWRITABLE, "it is a folder"),
    (["import", "{tmp}/nothing.csv"], Exit.UNREADABLE, "No such file or directory"),
    (["import", "-"], Exit.FILE, "the selected file is empty"),
    (["check", "-"], Exit.FILE, "the selected file is empty"),
    (["import", "{tmp}/half.csv"], Exit.FILE, "incomplete"),
    (["check", "{tmp}/half.csv"], Exit.FILE, "incomplete"),
    (["import", "{tmp}/accounts.csv", "--strict"], Exit.REFUSED, "auth_user"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "why"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_is_wrong_has_its_exit_code(other, tmp_path, arguments, code, why):
    other.add("a")
    (tmp_path / "half.csv").write_bytes(other.run("export").out[:90])
    (tmp_path / "accounts.csv").write_bytes(b"TABLE auth_user\r\nauth_user.id,auth_user.email\r\n1,x@example.org\r\n\r\n\r\nEND")
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    done = other.run(*arguments)
    assert done.code is code, done.err
    assert why in done.err and done.out == b""
    assert done.err.count("\n") == 1 and "Traceback" not in done.err
    told = other.run(*arguments, "--json")
    facts = json.loads(told.err if arguments[0] == "export" else told.out)
    assert told.code is code and facts["error"] and facts["reason"]
    assert other.names() == ["a"]


def test_a_busy_database_may_be_tried_again(other, tmp_path):
    other.add("a")
    file = other.run("export").out
    other.db.executesql("PRAGMA busy_timeout = 50")
    second = connect("sqlite://shared.sqlite", str(other.folder))
    try:
        second.executesql("BEGIN IMMEDIATE")
        done = other.run("instances", "add", "ab12", "--name", "Cayes")
    finally:
        second.rollback()
        second.close()
    assert (done.code, done.out) == (Exit.BUSY, b"")
    assert "Try again in a minute." in done.err
    assert other.run("check", "-", stdin=file).code is Exit.DONE


def test_every_error_has_an_exit_code():
    kinds = [errors.SyncError]
    for kind in kinds:
        kinds += [sub for sub in kind.__subclasses__() if sub.__module__ == errors.__name__]
        assert exits.exit_of_code(kind.code) is next(code for known, code in exits.BY_ERROR.items() if issubclass(kind, known))
    assert exits.exit_of_code("never heard of") is Exit.FAULT
    assert set(exits.BY_ERROR.values()) <= set(Exit)


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["export", "--nothing"], ["import"], ["history", "--from", "yesterday"]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(arguments)
    assert stopped.value.code == Exit.USAGE
    assert "usage: sync" in capsys.readouterr().err


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_each_command_has_help(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse([name, "--help"])
    assert stopped.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_progress_is_for_terminals_only(other):
    other.add("a")
    file = other.run("export").out
    assert "\r" not in other.run("import", "-", stdin=file).err
    shown = other.run("export", "-o", "/dev/null/x", terminal=True)
    assert shown.code is Exit.UNWRITABLE
    on_terminal = other.run("export", "-o", other.folder / "x.csv", terminal=True).err
    assert "\r\x1b[KExporting: " in on_terminal and on_terminal.count("\n") == 1
    assert "\r" not in other.run("export", "-q", "-o", other.folder / "x.csv", terminal=True).err


def test_a_line_is_written_a_few_times_a_second():
    now = [0.0]
    stream = Terminal()
    line = Line(stream, clock=lambda: now[0])
    for _ in range(1000):
        line.show("x" * 500)
        now[0] += EVERY_S / 100
    assert 8 <= stream.getvalue().count("\r") <= 12
    assert max(map(len, stream.getvalue().split("\r\x1b[K"))) < 500
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_names_and_data_cannot_command_a_terminal():
    assert table_text(["a"], [["\x1b[2Jx\n"]]) == "a\n\\x1b[2Jx\\x0a\n"
    assert printable("one\n\x07two") == "one\n\\x07two"
