"""What pages show and forms ask for, from plain values: no database, no request."""

import io
from datetime import date, datetime
from types import SimpleNamespace

import pytest

from plugin_sync import register
from plugin_sync.charts import Series
from plugin_sync.conflicts import Conflict, Pair, Pick
from plugin_sync.errors import SettingsError
from plugin_sync.history import Filters
from plugin_sync.instances import Instance, Standing
from plugin_sync.jobs import Every, Plan, Progress, State
from plugin_sync.options import Options
from plugin_sync.pages import conflicts, exports, forms, history, jobs, pictures, settings
from plugin_sync.records import FieldSpec
from plugin_sync.register import Facts, Fault, Peer
from plugin_sync.texts import IN_ENGLISH

DAYS = (date(2026, 5, 1), date(2026, 5, 2))
NOON = datetime(2026, 5, 2, 12)
HOUR = datetime(2026, 5, 2, 13)


def peer(ident, code, state=Standing.KNOWN):
    return Peer(ident, Facts(code, f"Office {ident}"), state, NOON, 0)


# ---- forms


def test_a_variable_is_one_value_or_several():
    asked = {"table": ["a", "b"], "one": "x", "none": None}
    assert (forms.all_of(asked, "table"), forms.all_of(asked, "one")) == (("a", "b"), ("x",))
    assert (forms.all_of(asked, "none"), forms.all_of(asked, "absent")) == ((), ())
    assert [forms.last_of(asked, name) for name in ("table", "one", "absent")] == ["b", "x", ""]


@pytest.mark.parametrize(("text", "number"), [("3", 3), ("0", 1), ("-2", 1), ("x", 1), ("²", 1), (None, 1), (["1"], 1)])
def test_a_page_has_a_number_from_one_on(text, number):
    assert forms.page_number(text) == number


def test_a_form_is_whole_when_it_is_as_long_as_announced():
    assert forms.is_whole(io.BytesIO(b"abc"), "3")
    assert not forms.is_whole(io.BytesIO(b"ab"), "3")
    assert not forms.is_whole(io.BytesIO(b"ab"), None)


def test_what_is_typed_of_an_instance():
    assert forms.read_facts({"base_uuid": "c3d4", "name": "Jacmel", "url": None}) == Facts("c3d4", "Jacmel")
    faults = [Fault("name", "no_name", {}), Fault("owner", "too_long", {"length": 100})]
    said = "This text is too long: use at most 100 characters"
    assert forms.worded(faults, IN_ENGLISH) == [("name", register.MESSAGES["no_name"]), ("owner", said)]


def test_a_pairing_file_is_read_or_refused_with_a_sentence():
    told = register.pairing_file(Peer(1, Facts("a1b2", "Main", uuid="a1b2" + "0" * 28), Standing.SELF, NOON, 0))
    facts, errors = forms.read_paired(SimpleNamespace(filename="p.json", file=io.BytesIO(told)), IN_ENGLISH)
    assert (facts.name, errors) == ("Main", [])
    wrong = SimpleNamespace(filename="p.json", file=io.BytesIO(b"no"))
    sentence = f"The selected file is no pairing file. {register.PAIRING_HINT}"
    assert forms.read_paired(wrong, IN_ENGLISH) == (Facts(), [("file", sentence)])
    assert forms.read_paired("", IN_ENGLISH) == (Facts(), [("file", "Select a file")])


# ---- jobs


@pytest.mark.parametrize(
    ("state", "step", "cancelled", "place"),
    [
        (State.QUEUED, "check", False, jobs.Place("progress")),
        (State.RUNNING, "apply", True, jobs.Place("progress", {"cancel": 1})),
        (State.CHECKED, "check", True, jobs.Place("check")),
        (State.FAILED, "check", False, jobs.Place("import_file")),
        (State.FAILED, "apply", False, jobs.Place("result")),
        (State.CANCELLED, "apply", True, jobs.Place("result")),
        (State.DONE, "apply", True, jobs.Place("result", {"late": 1})),
        (State.DONE, None, False, jobs.Place("result")),
    ],
)
def test_each_job_has_its_page(state, step, cancelled, place):
    assert jobs.place_of(state, step, cancelled) == place


def test_progress_is_said_in_words():
    done = Progress("reading", "org_office", 1500, 3000, 300, 95)
    assert jobs.shown(done, "Offices", IN_ENGLISH) == jobs.Shown(300, "Reading: 1,500 of 3,000 · Offices", "about 2 minutes left")
    assert jobs.shown(Progress("reading", "t", 7), "t", IN_ENGLISH).text == "Reading: 7 · t"
    assert jobs.shown(Progress("waiting"), "", IN_ENGLISH) == jobs.Shown(0, "Waits for another import", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (59, "less than a minute left"), (60, "about 1 minute left"), (150, "about 2 minutes left")]
)
def test_the_time_that_is_left(seconds, text):
    assert jobs.left_text(seconds, IN_ENGLISH) == text


def test_a_file_is_received_or_the_form_is_at_fault():
    asked = []

    def receive(file, **facts):
        asked.append((file, facts))
        if file == "bad":
            raise SettingsError("the file is empty", hint="Choose another.")
        return "u1"

    def sent(file):
        post = {"file": SimpleNamespace(filename="a.csv", file=file), "policy": "newer"}
        return jobs.receive(SimpleNamespace(receive=receive), post, True, 7, IN_ENGLISH)

    assert sent("good") == ("u1", [])
    assert asked == [("good", {"whole": True, "file_name": "a.csv", "policy": "newer", "user_id": 7})]
    assert sent("bad") == ("", [("file", "The file is empty. Choose another.")])
    assert jobs.receive(None, {"file": ""}, True, 7, IN_ENGLISH) == ("", [("file", "Select a file")])


# ---- history


def test_filters_come_from_the_address():
    asked = history.read_asked({"instance": "c3d4", "direction": ["export", "import"], "from": "2026-05-01", "to": "", "x": "y"})
    assert asked == {"instance": "c3d4", "direction": "import", "from": "2026-05-01"}
    found = history.read_filters(asked, [peer(4, "c3d4")], IN_ENGLISH)
    assert found == (Filters(instance=4, direction="import", first=date(2026, 5, 1)), [])


def test_an_unknown_instance_has_no_entries_and_unknown_words_mean_all():
    asked = {"instance": "ffff", "direction": "sideways", "result": "odd", "table": "org"}
    assert history.read_filters(asked, [peer(4, "c3d4")], IN_ENGLISH) == (Filters(instance=0, table="org"), [])


@pytest.mark.parametrize(
    ("first", "last", "fields"),
    [("yesterday", "2026-05-02", ["from"]), ("2026-05-03", "2026-05-02", ["to"]), ("x", "y", ["from", "to"])],
)
def test_days_that_are_none_are_faults(first, last, fields):
    _, errors = history.read_filters({"from": first, "to": last}, [], IN_ENGLISH)
    assert [field for field, _ in errors] == fields


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ({"id": 1, "first_name": "Ann", "last_name": None}, "Ann"),
        ({"id": 1, "first_name": "", "username": "ann"}, "ann"),
        ({"id": 1, "email": "ann@example.org"}, "ann@example.org"),
        ({"id": 1}, "1"),
    ],
)
def test_people_are_called_by_what_their_account_has(row, name):
    assert history.user_name(row) == name


# ---- pictures


def test_exchanges_are_drawn_by_kind_and_by_instance():
    found = {(DAYS[0], "import", 4): 2, (DAYS[1], "export", 4): 1, (DAYS[1], "sync", 4): 1, (DAYS[1], "import", None): 5}
    chart = pictures.exchanges_chart(found, DAYS, IN_ENGLISH)
    assert (chart.days, chart.series) == (("1 May", "2 May"), (Series("Imports", (2, 5)), Series("Exports", (0, 1))))
    lines = pictures.lines_of(found, DAYS, [peer(4, "c3d4"), peer(5, "d4e5")])
    assert lines == [Series("Office 4", (2, 1))]
    undone = pictures.exchanges_chart({(DAYS[0], "undo", None): 1}, DAYS, IN_ENGLISH)
    assert undone.series[-1] == Series("Undone", (1, 0))


def test_records_are_drawn_by_day():
    chart = pictures.records_chart({DAYS[1]: (3, 4)}, DAYS, IN_ENGLISH)
    assert chart.series == (Series("New", (0, 3)), Series("Changed", (0, 4)))


# ---- exports


@pytest.mark.parametrize(
    ("asked", "part", "name"),
    [
        ({}, exports.Part(), "all"),
        ({"what": "module", "module": "org"}, exports.Part(module="org"), "org"),
        ({"what": "module"}, exports.Part(module=""), "all"),
        ({"what": "tables", "table": ["a", "b"]}, exports.Part(("a", "b")), "tables"),
        ({"what": "tables"}, exports.Part(()), "all"),
    ],
)
def test_a_part_of_the_data_is_asked_for(asked, part, name):
    found = exports.read_part(asked)
    assert (found, found.name) == (part, name)


def test_an_unknown_format_is_csv():
    assert [exports.form_of(name) for name in ("bundle", "odd", None)] == ["bundle", "csv", "csv"]
    assert list(exports.form_labels(IN_ENGLISH)) == ["csv", "bundle", "s3xml"]


# ---- settings

NOW = Options("newer", {"org": "ours"}, 30, Plan(Every.DAILY, HOUR).to_dict())
SAME = {"policy": "newer", "policy_org": "ours", "retention_days": "30", "every": "daily", "first": "2026-05-02T13:00"}


def test_a_form_that_says_what_is_in_force():
    assert settings.read_wanted(SAME, NOW, NOON, IN_ENGLISH) == settings.Wanted(NOW, Plan(Every.DAILY, HOUR), [])


@pytest.mark.parametrize(
    ("change", "tables"),
    [
        ({"policy_org": ""}, {}),
        ({"policy_org": "fill"}, {"org": "fill"}),
        ({"new_table": "person", "new_policy": "add"}, {"org": "ours", "person": "add"}),
        ({"new_table": "org", "new_policy": "odd"}, {"org": "ours"}),
        ({"new_policy": "add"}, {"org": "ours"}),
    ],
)
def test_policies_of_tables_are_changed_added_and_given_up(change, tables):
    wanted = settings.read_wanted(SAME | change, NOW, NOON, IN_ENGLISH)
    assert (wanted.options.table_policies, wanted.errors) == (tables, [])


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"policy": "odd"}, ["policy"]),
        ({"retention_days": "0"}, ["retention_days"]),
        ({"first": "soon"}, ["first"]),
        ({"every": "yearly"}, ["first"]),
        ({"every": "once", "first": "2026-05-02T11:00"}, ["first"]),
        ({"every": "manual", "first": "2026-05-02T11:00"}, []),
        ({"policy": None, "retention_days": "", "first": "x"}, ["policy", "retention_days", "first"]),
    ],
)
def test_what_is_wrong_with_settings(change, fields):
    assert [field for field, _ in settings.read_wanted(SAME | change, NOW, NOON, IN_ENGLISH).errors] == fields


def test_without_a_scheduler_nothing_is_scheduled():
    assert settings.read_schedule(None) == settings.Schedule(False, False, None)


# ---- conflicts


def comparison(asks=False, chosen=None):
    conflict = Conflict("u", "org", "o1", None if asks else 1, "", "", "j", "open", NOON, {})
    fields = (FieldSpec("name", "name", "string", label="Name"), FieldSpec("size", "size", "integer"))
    pairs = [Pair(fields[0], "a", "b", "a", "b"), Pair(fields[1], "1", "1", "1", "1")]
    return conflicts.Comparison(conflict, {}, chosen, pairs, (None, None), None, 1, Instance("a1b2", "u"))


def test_a_form_picks_a_version_of_each_field_that_differs():
    assert conflicts.read_picks({"pick_name": "theirs"}, comparison(), IN_ENGLISH) == ({"name": Pick("theirs")}, [])
    typed = {"pick_name": "other", "other_name": "c", "pick_size": "odd"}
    assert conflicts.read_picks(typed, comparison(), IN_ENGLISH) == ({"name": Pick("other", "c")}, [])
    assert conflicts.read_picks({}, comparison(), IN_ENGLISH) == ({}, [("pick_name", "Choose a version of Name")])


def test_a_form_says_which_record_it_is():
    asked = [("record", "Choose which record this is")]
    assert conflicts.read_picks({}, comparison(asks=True), IN_ENGLISH) == ({}, asked)
    assert conflicts.read_picks({"record": "new"}, comparison(asks=True), IN_ENGLISH) == ({}, [])
    left_open = [("pick_name", "Choose a version of Name")]
    assert conflicts.read_picks({"record": "3"}, comparison(asks=True, chosen=3), IN_ENGLISH) == ({}, left_open)
