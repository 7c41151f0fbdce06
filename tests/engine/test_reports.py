"""Reports kept as text come back as they were."""

from plugin_sync.records import (
    Counts,
    FieldChange,
    ImportReport,
    Origin,
    Outcome,
    Problem,
    ProblemGroup,
    Sample,
    TableReport,
)
from plugin_sync.reports import dump_report, load_report

REPORT = ImportReport(
    dry_run=True,
    policy="newer",
    tables=(
        TableReport(
            "pr_person",
            Counts(new=1, conflict=2),
            ("shoe_size",),
            (Sample("a1b2", 7, Outcome.CONFLICT, (FieldChange("name", None, "Žižek 😀\x00"),)),),
        ),
        TableReport("org_office", Counts()),
    ),
    problems=(Problem("bad_value", "no date", "pr_person", 3, "dob", "31.2.", "Mend it."),),
    problems_total=12,
    groups=(ProblemGroup("bad_value", "pr_person", "dob", 12, "no date", "Mend it.", (3, 4)),),
    warnings=(Problem("table", "not known"),),
    ignored_tables=("x",),
    origin=Origin("a1b2", "u", "Jacmel", "2026-05-02T00:00:00Z", 1),
    sha256="0" * 64,
    size_bytes=99,
    seconds=0.25,
    lock_s=0.125,
)


def test_a_report_comes_back_whole():
    assert load_report(dump_report(REPORT)) == REPORT
    assert load_report(dump_report(REPORT)).tables[0].samples[0].outcome is Outcome.CONFLICT


def test_its_text_is_ascii():
    assert dump_report(REPORT).isascii()
