"""The demonstration data: enough, right, the same each time, and different at each office."""

import uuid
from collections import Counter

import pytest

from demo_host.demo import PARTS, parts
from demo_host.demo.records import OFFICES, Record, Ref


@pytest.fixture(scope="module")
def offices() -> dict[str, dict[Ref, tuple[int, Record]]]:
    return {part: {record.ref: (id, record) for rows in parts.tables_of(part).values() for id, record in rows} for part in PARTS}


def test_there_is_enough(offices):
    assert len(offices["main"]) >= 50_000
    assert len(offices["jacmel"]) >= 20_000


def test_it_is_the_same_each_time(offices):
    again = parts.tables_of("jacmel")
    assert {record.ref: (id, record) for rows in again.values() for id, record in rows} == offices["jacmel"]


@pytest.mark.parametrize("part", PARTS)
def test_every_reference_is_there(offices, part):
    known = offices[part]
    assert all(ref in known for _, record in known.values() for ref in record.refs())


@pytest.mark.parametrize("part", PARTS)
def test_uuids_are_valid_and_begin_with_their_office(offices, part):
    for _, record in offices[part].values():
        assert str(uuid.UUID(record.uuid)) == record.uuid
        assert uuid.UUID(record.uuid).version == 5
        assert record.uuid.startswith(OFFICES[record.author])


@pytest.mark.parametrize("part", PARTS)
def test_uuids_are_unique(offices, part):
    assert max(Counter(record.uuid for _, record in offices[part].values()).values()) == 1


def test_offices_overlap_and_each_has_its_own(offices):
    main, jacmel = offices["main"].keys(), offices["jacmel"].keys()
    assert len(main & jacmel) > 10_000
    assert len(jacmel - main) > 1_000
    assert len(main - jacmel) > 10_000


def test_row_numbers_differ_for_the_same_records(offices):
    main, jacmel = offices["main"], offices["jacmel"]
    same = [ref for ref in main.keys() & jacmel.keys() if main[ref][0] == jacmel[ref][0]]
    assert len(same) < 20


def test_jacmel_is_behind_and_never_ahead(offices):
    ids = dict.fromkeys(offices["main"].keys() | offices["jacmel"].keys(), 0)  # row numbers do not count
    behind = 0
    for ref in offices["main"].keys() & offices["jacmel"].keys():
        rows = {part: parts.row(offices[part][ref][1], part, ids) for part in PARTS}
        if rows["main"] != rows["jacmel"]:
            assert rows["jacmel"]["modified_on"] < rows["main"]["modified_on"]
            behind += 1
    assert behind > 500


def test_texts_fit_every_database(offices):
    """MariaDB's tables here hold characters of at most three bytes."""
    for _, record in offices["main"].values():
        for value in record.values.values():
            assert not isinstance(value, str) or all(ord(letter) <= 0xFFFF for letter in value)
