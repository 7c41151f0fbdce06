"""Numbers, sizes, times and names as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from plugin_sync.errors import FileFormatError
from plugin_sync.texts import Texts

texts = Texts()


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 KB"), (15_400, "15 KB"), (999_600, "1.0 MB"), (5 * 10**15, "5,000 TB")],
)
def test_sizes(size, text):
    assert texts.size_text(size) == text


def test_numbers_have_separators():
    assert texts.number_text(14181) == "14,181"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, ""),
        (datetime(2026, 5, 2, 9, 12), "2 May 2026, 09:12 UTC"),
        (datetime(2026, 5, 2, 9, 12, tzinfo=UTC), "2 May 2026, 09:12 UTC"),
        (datetime(2026, 5, 2, 9, 12, tzinfo=timezone(timedelta(hours=2))), "2 May 2026, 07:12 UTC"),
        ("2026-05-02T09:12:44Z", "2 May 2026, 09:12 UTC"),
        ("yesterday", "yesterday"),
    ],
)
def test_times_are_utc(moment, text):
    assert texts.time_text(moment) == text


def test_lines_end_in_an_ellipsis_when_there_are_more():
    assert texts.lines_text((2, 5), 2) == "2, 5"
    assert texts.lines_text((2, 5), 9) == "2, 5 …"


@pytest.mark.parametrize(
    ("instance", "what", "name"),
    [
        ("Jacmel", "org", "Jacmel-org-2026-05-02.csv"),
        ('Port au "Prince"\r\n/../', "all", "Port-au-Prince-all-2026-05-02.csv"),
        ("哈", "", "data-data-2026-05-02.csv"),
    ],
)
def test_file_names_suit_any_file_system(instance, what, name):
    assert texts.file_name(instance, what, datetime(2026, 5, 2)) == name


def test_sentences():
    assert texts.sentence("the file is cut", "Copy it again.") == "The file is cut. Copy it again."
    assert texts.sentence("why?") == "Why?"
    assert texts.sentence("", "Look.") == "Look."


def test_cells_are_cut():
    assert texts.cell_text(None) == texts.cell_text("") == "–"
    assert texts.cell_text("x" * 300) == "x" * 200 + "…"


def test_a_fault_says_what_happened_where_and_what_to_do():
    error = FileFormatError("the quotes do not match", line=3, hint="Write a quote twice.")
    assert texts.fault_text(error.to_dict()) == "The quotes do not match (line 3). Write a quote twice."
    assert texts.fault_text(FileFormatError("the file is empty").to_dict()) == "The file is empty."


def test_tables_in_a_message_are_called_what_people_call_them():
    labels = {"pr_person": "People", "record": "Records"}
    assert texts.named("Import pr_person first: no record pr_person_x.", labels) == "Import People first: no record pr_person_x."


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, ""),
        (timezone(timedelta(hours=-5), "EST"), "04:12 EST"),
        (timezone(timedelta(hours=-10), "HST"), "1 May, 23:12 HST"),
        (timezone(timedelta(hours=15), "LATE"), "3 May, 00:12 LATE"),
    ],
)
def test_times_of_a_place(zone, text):
    assert texts.local_text(datetime(2026, 5, 2, 9, 12), zone) == text


def test_days():
    assert texts.day_text(datetime(2026, 5, 2).date()) == "2 May"
