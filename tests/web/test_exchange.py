"""Offices that exchange everything, or a part, through the pages alone."""

import re

import pytest

from .pages import counts, export, heading, records, send, text_of, together, upload


@pytest.fixture(scope="module")
def exchanged(start_office):
    """Two offices with different, overlapping data after a file went each way; with what each page said."""
    first, second = start_office("exchange-main", demo="main"), start_office("exchange-jacmel", demo="jacmel")
    one, two = first.administrator(), second.administrator()
    there = send(two, export(one))
    back = send(one, export(two))
    return {"offices": (first, second), "clients": (one, two), "there": there, "back": back}


def test_two_offices_hold_the_same_records_after_exchanging_all(exchanged):
    first, second = map(records, exchanged["offices"])
    assert first.keys() == second.keys()
    assert sum(len(table) for table in first.values()) > 60_000
    for table in first:
        assert first[table].keys() == second[table].keys(), table
        different = {uuid: (first[table][uuid], second[table][uuid]) for uuid in first[table]} if first[table] else {}
        assert not [pair for pair in different.values() if pair[0] != pair[1]][:3], table


@pytest.mark.parametrize("way", ["there", "back"])
def test_the_result_is_what_the_check_said(exchanged, way):
    check, result = exchanged[way]
    assert check.status == result.status == 200
    assert "Nothing has been changed yet." in check.text
    assert heading(result) == "Imported"
    assert counts(check) == counts(result)
    assert together(result)["new"] > 0
    assert together(result)["rejected"] == 0
    assert together(result)["conflict"] == 0


def test_importing_again_finds_nothing_new_and_nothing_changed(exchanged):
    one, two = exchanged["clients"]
    for data, client in ((export(one), two), (export(two), one)):
        check = upload(client, data)
        found = together(check)
        assert (found["new"], found["changed"], found["conflict"]) == (0, 0, 0)
        assert found["same"] > 60_000
        assert "/apply/" not in check.text
    check = upload(two, export(one, what="module", module="pr"))
    assert re.search(r"All [\d,]+ rows are already here\.", text_of(check))


def test_no_fault_was_recorded(exchanged):
    assert [office.tickets() for office in exchanged["offices"]] == [[], []]


def test_a_module_whose_references_point_outside_waits_for_the_other(main_office, start_office):
    third = start_office("third", demo="none")
    for number in range(1, 30):  # strangers: organisations with the row numbers that the file speaks of
        third.query("INSERT INTO org_organisation (name, uuid) VALUES (?, ?)", f"Stranger {number}", f"stranger-{number}")
    sender, receiver = main_office.administrator(), third.administrator()
    supply = export(sender, what="module", module="supply")

    check = upload(receiver, supply)
    found = counts(check)
    pointing = main_office.query("SELECT count(*) FROM supply_catalog WHERE organisation_id IS NOT NULL")[0][0]
    assert pointing and found["supply_catalog"]["rejected"] == pointing
    row = r"<tr><td class=\"ps-num\">(\d+)</td><td>supply_catalog</td><td>organisation_id</td>"
    lines = [int(line) for line in re.findall(row, check.text)]
    assert len(lines) == pointing
    assert all(b"\r\n" in supply for _ in lines) and max(lines) < supply.count(b"\n")
    assert third.query("SELECT count(*) FROM supply_catalog") == [(0,)]

    others = ["gis_location", "org_organisation", "pr_person"]
    _, result = send(receiver, export(sender, what="tables", table=others))
    assert heading(result) == "Imported"
    check, result = send(receiver, supply)
    assert together(check)["rejected"] == 0
    assert heading(result) == "Imported"
    wanted, got = records(main_office), records(third)
    for table in ("supply_catalog", "supply_item"):
        assert got[table] == wanted[table]
    assert third.tickets() == []


def test_a_module_is_exported_alone(main_office):
    data = export(main_office.administrator(), what="module", module="org")
    assert re.findall(rb"^TABLE (\w+)\r$", data, re.MULTILINE) == [b"org_organisation", b"org_office"]


def test_a_download_names_its_office_module_and_day(main_office):
    answer = main_office.administrator().get("/sync/plugin_sync/export_file?what=module&module=org")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = re.fullmatch(r'attachment; filename="(.*)"', answer.headers["Content-Disposition"])[1]
    assert re.fullmatch(r"[A-Za-z0-9-]+-org-\d{4}-\d\d-\d\d\.csv", name)


def test_a_check_leaves_every_record_as_it_was(main_office, empty_office):
    before = records(empty_office)
    check = upload(empty_office.administrator(), export(main_office.administrator(), what="module", module="gis"))
    assert together(check)["new"] > 30_000
    assert records(empty_office) == before
