"""What administrators save wins over the host's word; what nobody offers is refused."""

import pytest

from plugin_sync.errors import SettingsError
from plugin_sync.options import Options, days_of, read_options, save_options
from plugin_sync.schema import define_tables

HOST = Options("theirs", {"pr_person": "ask"}, 30)


@pytest.fixture
def db(new_db):
    return new_db(define_tables)


def test_what_was_never_saved_is_the_hosts(db):
    assert read_options(db, HOST) == HOST
    save_options(db, HOST, HOST)
    assert db(db.plugin_sync_setting).isempty()
    assert read_options(db, Options()) == Options()


def test_what_is_saved_wins(db):
    wanted = Options("fill", {}, 5, {"every": "daily", "first": "2026-05-02T02:00:00"})
    save_options(db, wanted, HOST)
    db.commit()
    assert read_options(db, HOST) == wanted
    assert db(db.plugin_sync_setting).count() == 4
    save_options(db, Options("fill", {"org": "ours"}, 6, None), HOST)
    assert read_options(db, HOST) == Options("fill", {"org": "ours"}, 6, None)
    assert db(db.plugin_sync_setting).count() == 4


@pytest.mark.parametrize("wrong", [Options("oldest"), Options(table_policies={"org": ""}), Options(retention_days=0)])
def test_what_no_page_offers_is_refused(db, wrong):
    with pytest.raises(SettingsError):
        save_options(db, wrong, HOST)
    assert read_options(db, HOST) == HOST


@pytest.mark.parametrize(
    ("text", "days"),
    [("1", 1), (" 90 ", 90), ("3650", 3650), ("0", None), ("3651", None), ("-5", None), ("", None), ("²", None)],
)
def test_days_that_people_type(text, days):
    assert days_of(text) == days
