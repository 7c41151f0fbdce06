"""Uuids of instances and records, and how they are compared."""

import uuid

import pytest

from plugin_sync.identity import fold, new_base_uuid, new_uuid

FIXED = uuid.UUID("12345678-9abc-4def-8123-456789abcdef")


def test_a_record_s_uuid_begins_with_its_instance():
    assert new_uuid("beef", lambda: FIXED) == "beef5678-9abc-4def-8123-456789abcdef"
    assert uuid.UUID(new_uuid("beef")).version == 4
    assert new_uuid("beef") != new_uuid("beef")


def test_base_uuids_are_four_digits():
    assert new_base_uuid(lambda: FIXED) == "1234"
    assert new_uuid(new_base_uuid())


@pytest.mark.parametrize("base", ["", "abc", "abcde", "ABCD", "abcg", "abcd\n", "ab-d"])
def test_a_base_uuid_must_be_one(base):
    with pytest.raises(ValueError, match="four hexadecimal digits"):
        new_uuid(base)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("ABC-1", "abc-1"), ("abc", "abc"), ("", ""), ("ÄbÇ", "ÄbÇ"), ("İX", "İx"), ("ẞA", "ẞa")],
)
def test_only_ascii_letters_are_folded(text, folded):
    assert fold(text) == folded
