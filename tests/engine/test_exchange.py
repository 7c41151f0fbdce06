"""Two offices synchronise: what each then holds, what is counted, what a fault on the way leaves behind."""

from datetime import datetime

import pytest

from plugin_sync import exchange
from plugin_sync.errors import SettingsError
from plugin_sync.history import Filters, read_entries
from plugin_sync.instances import Standing, ensure_self
from plugin_sync.jobs import OTHER_OFFICE, State
from plugin_sync.peers import end_access, set_policy
from plugin_sync.register import set_state
from plugin_sync.schema import define_tables
from plugin_sync.transports.http import Reply
from plugin_sync.wishes import Direction, Extent, Wish, read_wish

from .databases import ENGINES
from .pairs import Side, define, lines_of, pair, side, swallow

OLD, MIDDLE, LATE = (datetime(2026, month, 1) for month in (1, 2, 3))
FAULTS = {
    "silence": swallow,
    "garbage": lambda wanted: lambda method, reply: Reply(200, b"<html>Hello</html>") if method == wanted else reply,
    "emptiness": lambda wanted: lambda method, reply: Reply(200, b"") if method == wanted else reply,
    "half": lambda wanted: lambda method, reply: Reply(200, reply.body[: len(reply.body) // 2]) if method == wanted else reply,
    "a strange value": lambda wanted: lambda method, reply: Reply(200, STRANGE) if method == wanted else reply,
    "a redirect": lambda wanted: lambda method, reply: Reply(302, b"") if method == wanted else reply,
}
STRANGE = b"<methodResponse><params><param><value><int>-1</int></value></param></params></methodResponse>"
BEFORE_COMMIT = ("info", "export_begin", "export_read")


@pytest.fixture
def offices(tmp_path):
    main, jacmel = side(tmp_path / "main", "Main"), side(tmp_path / "jacmel", "Jacmel")
    pair(main, jacmel)
    yield main, jacmel
    for office in (main, jacmel):
        office.db.close()


def synchronise(here, there, direction="both", extent="changes", modules=()):
    return here.syncs.now(there.own.base_uuid, read_wish(direction, extent, modules))


def done(job):
    assert (job.state, job.error) == (State.DONE, None), job.error
    return job.synced


def edited(main, jacmel):
    """Both have edits of their own: new records, a newer one each, and one that both changed at the same time."""
    for office in (main, jacmel):
        for name in ("both", "ours", "theirs", "clash"):
            office.put("org_office", name, name="as it was", modified_on=OLD)
    main.put("org_office", "main", name="new in Main")
    main.put("org_office", "ours", name="newer in Main", modified_on=LATE)
    main.put("org_office", "theirs", name="older in Main", modified_on=MIDDLE)
    main.put("org_office", "clash", name="clash of Main", modified_on=LATE)
    jacmel.put("org_office", "jacmel", name="new in Jacmel")
    jacmel.put("org_office", "ours", name="older in Jacmel", modified_on=MIDDLE)
    jacmel.put("org_office", "theirs", name="newer in Jacmel", modified_on=LATE)
    jacmel.put("org_office", "clash", name="clash of Jacmel", modified_on=LATE)


def counted(office, other):
    office.db.rollback()
    return office.peer(other).sync_count


def test_both_hold_the_newer_version_of_every_record(offices):
    main, jacmel = offices
    edited(main, jacmel)
    report = done(synchronise(main, jacmel))
    agreed = {"both": "as it was", "main": "new in Main", "jacmel": "new in Jacmel"}
    agreed |= {"ours": "newer in Main", "theirs": "newer in Jacmel"}
    assert main.names() == agreed | {"clash": "clash of Main"}
    assert jacmel.names() == agreed | {"clash": "clash of Jacmel"}
    assert (report.pulled.counts.new, report.pulled.counts.changed, report.pulled.counts.conflict) == (1, 1, 1)
    assert (report.pushed.counts.new, report.pushed.counts.changed, report.pushed.counts.conflict) == (1, 1, 1)
    for office in offices:
        conflicts = office.db(office.db.plugin_sync_conflict.state == "open").select()
        assert [(row.table_name, row.record_uuid) for row in conflicts] == [("org_office", "clash")]
    assert (counted(main, jacmel), counted(jacmel, main)) == (1, 1)
    names = [entry.file_name for office in offices for entry in read_entries(office.db, Filters()) if entry.kind != "sync"]
    assert len(names) == 4 and all(name.endswith(".zip") for name in names)
    made_by = {entry.kind: entry.user_id for entry in read_entries(jacmel.db, Filters())}
    assert made_by == {"export": OTHER_OFFICE, "import": OTHER_OFFICE}


def test_what_was_received_is_not_sent_back_on_either_side(offices):
    main, jacmel = offices
    edited(main, jacmel)
    first = done(synchronise(main, jacmel))
    assert first.pulled.rows == {"org_office": 5}
    assert first.pushed.rows == {"org_office": 4}  # of its six records two came from there just now
    second = done(synchronise(jacmel, main))
    assert (second.pulled.total, second.pushed.total) == (0, 0)


def test_a_second_run_moves_nothing_and_counts_once(offices):
    main, jacmel = offices
    edited(main, jacmel)
    synchronise(main, jacmel)
    again = done(synchronise(main, jacmel))
    assert (again.pulled.total, again.pushed.total, again.changed_nothing) == (0, 0, True)
    assert (counted(main, jacmel), counted(jacmel, main)) == (2, 2)
    assert [entry.state for entry in read_entries(main.db, Filters(direction="sync"))] == ["done", "done"]


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "sqlite"])  # that of the other tests
def test_on_every_database(new_db, tmp_path, engine):
    main, jacmel = (Side(new_db(both), tmp_path / name) for name in ("main", "jacmel"))
    for office, name in ((main, "Main"), (jacmel, "Jacmel")):
        ensure_self(office.db, name=name)
        office.db.commit()
    pair(main, jacmel)
    edited(main, jacmel)
    main.put("pr_person", "p", name="Ann", org_id=main.db.org_office(uuid="main").id)
    first = done(synchronise(main, jacmel))
    assert (first.pulled.rows, first.pushed.rows) == ({"org_office": 5}, {"org_office": 4, "pr_person": 1})
    assert jacmel.db.pr_person(uuid="p").org_id == jacmel.db.org_office(uuid="main").id
    for here, there in ((main, jacmel), (jacmel, main)):
        again = done(synchronise(here, there))
        assert (again.pulled.total, again.pushed.total) == (0, 0)
    expected = {"both": "as it was", "main": "new in Main", "jacmel": "new in Jacmel"}
    expected |= {"ours": "newer in Main", "theirs": "newer in Jacmel"}
    assert main.names() == expected | {"clash": "clash of Main"}
    assert jacmel.names() == expected | {"clash": "clash of Jacmel"}


def both(db):
    define(db)
    define_tables(db)


@pytest.mark.parametrize("direction", ["pull", "push"])
def test_one_way_leaves_the_other_alone(offices, direction):
    main, jacmel = offices
    edited(main, jacmel)
    before = main.names(), jacmel.names()
    report = done(synchronise(main, jacmel, direction))
    if direction == "pull":
        assert (jacmel.names(), report.pushed) == (before[1], None)
        assert main.names()["theirs"] == "newer in Jacmel"
    else:
        assert (main.names(), report.pulled) == (before[0], None)
        assert jacmel.names()["ours"] == "newer in Main"
    assert (counted(main, jacmel), counted(jacmel, main)) == (1, 1)


def test_one_module_only(offices):
    main, jacmel = offices
    main.put("org_office", "o", name="office")
    main.put("pr_person", "p", name="person")
    report = done(synchronise(main, jacmel, modules=("org",)))
    assert (jacmel.names(), jacmel.names("pr_person"), report.pushed.rows) == ({"o": "office"}, {}, {"org_office": 1})
    assert done(synchronise(main, jacmel)).pushed.rows == {"pr_person": 1}
    assert jacmel.names("pr_person") == {"p": "person"}
    with pytest.raises(SettingsError, match="no module is called"):
        synchronise(main, jacmel, modules=("nowhere",))


def test_all_is_sent_again_when_that_is_wanted(offices):
    main, jacmel = offices
    main.put("org_office", "o", name="office")
    done(synchronise(main, jacmel))
    report = done(synchronise(main, jacmel, extent="all"))
    assert (report.pushed.counts.same, report.pulled.counts.same, report.changed_nothing) == (1, 1, True)


def test_each_side_takes_by_its_own_policy(offices):
    main, jacmel = offices
    for office, when in ((main, LATE), (jacmel, OLD)):
        office.put("org_office", "o", name=office.own.name, modified_on=when)
    set_policy(main.db, main.peer(jacmel), "theirs")
    set_policy(jacmel.db, jacmel.peer(main), "ours")
    main.db.commit(), jacmel.db.commit()
    done(synchronise(main, jacmel))
    assert (main.names(), jacmel.names()) == ({"o": "Jacmel"}, {"o": "Jacmel"})


def test_rejected_rows_are_sent_again_until_they_can_be_taken(offices):
    main, jacmel = offices
    jacmel.db.pr_person.name.notnull = True
    main.put("pr_person", "p", name=None)
    main.put("pr_person", "q", name="Ann")
    for _ in range(2):
        report = done(synchronise(main, jacmel, "push"))
        assert (report.pushed.rows, report.pushed.counts.rejected) == ({"pr_person": 2}, 1)
    jacmel.db.pr_person.name.notnull = False
    assert done(synchronise(main, jacmel, "push")).pushed.counts.new == 1
    assert done(synchronise(main, jacmel, "push")).pushed.total == 0


def test_tables_that_one_side_lacks_are_named_and_wait(offices):
    main, jacmel = offices
    main.put("org_office", "o", name="office")
    main.put("pr_person", "p", name="person")
    lacking = jacmel.settings
    jacmel.settings = type(lacking)(uuid_only=True, site_specific=frozenset({"pr_person"}))
    report = done(synchronise(main, jacmel))
    assert (report.differences.tables_here, report.pushed.rows) == (("pr_person",), {"org_office": 1})
    jacmel.settings = lacking
    assert done(synchronise(main, jacmel)).pushed.rows == {"pr_person": 1}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", BEFORE_COMMIT)
def test_a_fault_before_anything_is_taken_leaves_both_as_they_were(offices, fault, method):
    main, jacmel = offices
    edited(main, jacmel)
    before = main.state(), jacmel.state()
    lines_of(main, jacmel).fault = FAULTS[fault](method)
    job = synchronise(main, jacmel)
    assert job.state is State.FAILED
    assert job.error["reason"] and job.error["hint"]
    assert job.synced is None or job.synced.changed_nothing
    assert (main.state(), jacmel.state()) == before
    lines_of(main, jacmel).fault = None
    done(synchronise(main, jacmel))
    assert main.names()["theirs"] == "newer in Jacmel"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", ["import_begin", "import_write"])
def test_a_fault_on_the_way_there_leaves_the_other_as_it_was(offices, fault, method):
    main, jacmel = offices
    edited(main, jacmel)
    before = main.state(), jacmel.state()
    lines_of(main, jacmel).fault = FAULTS[fault](method)
    job = synchronise(main, jacmel, "push")
    assert (job.state, job.synced.changed_nothing) == (State.FAILED, True)
    assert (main.state(), jacmel.state()) == before


@pytest.mark.parametrize("method", ["export_begin", "export_read", "export_end", "import_begin", "import_write", "import_run"])
def test_one_lost_answer_is_got_over(offices, method):
    main, jacmel = offices
    edited(main, jacmel)
    lines_of(main, jacmel).fault = swallow(method, times=2)
    report = done(synchronise(main, jacmel))
    assert (report.pulled.counts.new, report.pushed.counts.new) == (1, 1)
    imports = jacmel.db(jacmel.db.plugin_sync_job.kind == "import").count()
    assert (imports, counted(main, jacmel), counted(jacmel, main)) == (1, 1, 1)


def test_when_the_answer_to_the_import_is_lost_that_is_said_and_all_is_sent_again(offices):
    main, jacmel = offices
    edited(main, jacmel)
    lines_of(main, jacmel).fault = swallow("import_run")
    job = synchronise(main, jacmel, "push")
    assert (job.state, job.synced.uncertain, job.synced.changed_nothing) == (State.FAILED, True, False)
    assert jacmel.names()["main"] == "new in Main"  # it did come
    lines_of(main, jacmel).fault = None
    again = done(synchronise(main, jacmel, "push"))
    assert (again.pushed.counts.written, again.pushed.counts.same) == (0, 3)


def test_when_the_receipt_is_lost_what_came_stays_and_comes_again(offices):
    main, jacmel = offices
    edited(main, jacmel)
    lines_of(main, jacmel).fault = swallow("export_end")
    job = synchronise(main, jacmel)
    assert job.state is State.FAILED
    assert (job.synced.pulled.counts.new, job.synced.pushed, job.synced.changed_nothing) == (1, None, False)
    assert main.names()["jacmel"] == "new in Jacmel"


def test_a_file_that_changed_on_its_way_is_not_taken(offices):
    main, jacmel = offices
    jacmel.put("org_office", "o", name="office")
    before = main.state()

    def alter(method, reply):
        return Reply(200, reply.body.replace(b"UEsDB", b"UEsDC")) if method == "export_read" else reply

    lines_of(main, jacmel).fault = alter
    job = synchronise(main, jacmel)
    assert (job.state, job.error["reason"]) == (State.FAILED, "what it sent has changed on its way")
    assert main.state() == before


def test_another_office_at_the_address_is_refused(offices, tmp_path):
    main, jacmel = offices
    jacmel.put("org_office", "o", name="office")
    main.db(main.db.sync_instance.base_uuid == jacmel.own.base_uuid).update(uuid="c3d40000-0000-4000-8000-000000000000")
    main.db.commit()
    before = main.state()
    job = synchronise(main, jacmel)
    assert (job.state, job.error["reason"]) == (State.FAILED, "another office answers at this address")
    assert main.state() == before


def test_a_token_that_was_revoked_is_named(offices):
    main, jacmel = offices
    end_access(jacmel.db, jacmel.peer(main))
    jacmel.db.commit()
    before = main.state(), jacmel.state()
    job = synchronise(main, jacmel)
    assert (job.state, job.error["reason"]) == (State.FAILED, "it does not accept the token of this office")
    assert (main.state(), jacmel.state()) == before


def test_clocks_that_differ_are_named(offices):
    main, jacmel = offices
    jacmel.clock = lambda: 1_800_000_000.0
    job = synchronise(main, jacmel)
    assert job.state is State.FAILED
    assert job.error["reason"].startswith("the clocks of the two offices differ by ")


def test_what_cannot_be_synchronised_is_refused_before_it_begins(offices):
    main, jacmel = offices
    set_state(main.db, main.peer(jacmel), Standing.PAUSED)
    main.db.commit()
    with pytest.raises(SettingsError, match="paused"):
        synchronise(main, jacmel)
    with pytest.raises(SettingsError, match="with itself"):
        synchronise(main, main)
    set_state(main.db, main.peer(jacmel), Standing.KNOWN)
    set_state(jacmel.db, jacmel.peer(main), Standing.PAUSED)
    main.db.commit(), jacmel.db.commit()
    assert synchronise(main, jacmel).error["reason"] == "the other office has paused this one"


def test_a_cancelled_run_says_what_was_done_before(offices):
    main, jacmel = offices
    edited(main, jacmel)
    syncs = main.syncs
    job_uuid = syncs.ask(main.peer(jacmel), Wish(Direction.BOTH, Extent.CHANGES))

    def stop(method, reply):
        if method == "import_begin":
            syncs.imports.cancel(job_uuid)
        return reply

    lines_of(main, jacmel).fault = stop
    real = exchange.Exchange._show

    def slow(self, *arguments, **options):
        if arguments[0] == "sending" and arguments[1]:
            self.watch._stopping.wait(5)
        real(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange.Exchange, "_show", slow)
        job = syncs.run(job_uuid)
    assert (job.state, job.synced.pulled.counts.new, job.synced.pushed) == (State.CANCELLED, 1, None)
    assert "main" not in jacmel.names()


def test_two_runs_with_one_office_do_not_overlap(offices):
    main, jacmel = offices
    with main.syncs._alone(main.peer(jacmel)):
        job = synchronise(main, jacmel)
    assert (job.state, job.error["reason"]) == (State.FAILED, "a synchronisation with this office is under way")


@pytest.mark.parametrize(("direction", "extent"), [("sideways", "all"), ("both", "some")])
def test_unknown_wishes_are_refused(direction, extent):
    with pytest.raises(SettingsError, match="unknown"):
        read_wish(direction, extent)
