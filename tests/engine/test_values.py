"""What each type makes of a cell: the stored value, or the fault."""

import pytest

from plugin_sync.records import FieldSpec
from plugin_sync.stores.sqlite import DIALECT
from plugin_sync.values import CODECS, NULL, Fault, Limits, decode, decode_column, escape, unescape

FILE = DIALECT.limits  # SQLite: 64 bits, no lengths, decimals as doubles
SERVER = Limits()  # 32 bits, lengths enforced, exact decimals, no NUL, no infinity


def field(kind, **options):
    return FieldSpec("f", '"f"', kind, **options)


MONEY = {"precision": 8, "scale": 2}
WIDE = {"precision": 38, "scale": 2}

STORED = [
    ("string", {}, "Anna", "Anna"),
    ("string", {}, "", ""),
    ("string", {}, NULL, None),
    ("string", {}, "\\<NULL>", NULL),
    ("string", {}, "\\\\<NULL>", "\\<NULL>"),
    ("string", {}, "\\", "\\"),
    ("string", {}, "<null>", "<null>"),
    ("string", {}, " <NULL>", " <NULL>"),
    ("string", {}, "  padded\t", "  padded\t"),
    ("string", {"length": 3}, "abc", "abc"),
    ("string", {"length": 2}, "éß", "éß"),
    ("text", {}, "line\r\nline\nline\r", "line\r\nline\nline\r"),
    ("text", {}, "\N{PILE OF POO}", "\N{PILE OF POO}"),
    ("upload", {}, "t.file.a1b2.6e616d65.txt", "t.file.a1b2.6e616d65.txt"),
    ("upload", {}, "", ""),
    ("integer", {}, "7", 7),
    ("integer", {}, "-7", -7),
    ("integer", {}, "+7", 7),
    ("integer", {}, "007", 7),
    ("integer", {}, " 7 ", 7),
    ("integer", {}, "\u20287\N{NO-BREAK SPACE}", 7),
    ("integer", {}, "", None),
    ("integer", {}, "  ", None),
    ("integer", {}, NULL, None),
    ("integer", {}, "2147483647", 2147483647),
    ("integer", {}, "-2147483648", -2147483648),
    ("bigint", {}, "9223372036854775807", 9223372036854775807),
    ("bigint", {}, "-9223372036854775808", -9223372036854775808),
    ("reference", {"target": "t"}, "12345678901", 12345678901),
    ("double", {}, "0.1", 0.1),
    ("double", {}, "-1e-300", -1e-300),
    ("double", {}, "5.", 5.0),
    ("double", {}, ".5", 0.5),
    ("double", {}, "0.30000000000000004", 0.30000000000000004),
    ("double", {}, "", None),
    ("float", {}, "1.5", 1.5),
    ("decimal", MONEY, "1.50", "1.50"),
    ("decimal", MONEY, "1.5", "1.50"),
    ("decimal", MONEY, "-0.01", "-0.01"),
    ("decimal", MONEY, "999999.99", "999999.99"),
    ("decimal", MONEY, "1e2", "100.00"),
    ("decimal", MONEY, "1.500", "1.50"),
    ("decimal", MONEY, "", None),
    ("decimal", WIDE, "123456789012345678901234567890123456.78", "123456789012345678901234567890123456.78"),
    ("boolean", {}, "True", "T"),
    ("boolean", {}, "F", "F"),
    ("boolean", {}, "no", "F"),
    ("boolean", {}, "off", "F"),
    ("boolean", {}, "YES", "T"),
    ("boolean", {}, "0", "F"),
    ("boolean", {}, "", None),
    ("date", {}, "2024-02-29", "2024-02-29"),
    ("date", {}, "2024-02-29 00:00:00", "2024-02-29"),
    ("date", {}, "0001-01-01", "0001-01-01"),
    ("date", {}, "9999-12-31", "9999-12-31"),
    ("date", {}, " 2024-02-29 ", "2024-02-29"),
    ("time", {}, "23:59:59", "23:59:59"),
    ("time", {}, "23:59", "23:59:00"),
    ("time", {}, "12:00:00.5", "12:00:00.500000"),
    ("time", {}, "12:00:00.000000", "12:00:00"),
    ("datetime", {}, "2024-02-29 12:30:15", "2024-02-29 12:30:15"),
    ("datetime", {}, "2024-02-29T12:30:15", "2024-02-29 12:30:15"),
    ("datetime", {}, "2024-02-29 12:30", "2024-02-29 12:30:00"),
    ("datetime", {}, "2024-02-29", "2024-02-29 00:00:00"),
    ("datetime", {}, "2024-02-29 12:30:15.123456", "2024-02-29 12:30:15.123456"),
    ("datetime", {}, "2024-02-29 12:30:15.1", "2024-02-29 12:30:15.100000"),
    ("datetime", {}, "2024-02-29T12:30:15Z", "2024-02-29 12:30:15"),
    ("datetime", {}, "2024-02-29T12:30:15+02:00", "2024-02-29 10:30:15"),
    ("datetime", {}, "2024-02-29T23:30:15-0200", "2024-03-01 01:30:15"),
    ("json", {}, '{"a": [1, null, "x"]}', '{"a": [1, null, "x"]}'),
    ("json", {}, '"text"', '"text"'),
    ("json", {}, "null", "null"),
    ("json", {}, "", None),
    ("blob", {}, "/wAB", "/wAB"),
    ("blob", {}, NULL, None),
    ("blob", {}, "", ""),
    ("list:string", {}, "|a|b||c|", "|a|b||c|"),
    ("list:string", {}, "||", "||"),
    ("list:integer", {}, "|1|-2|", "|1|-2|"),
    ("list:reference", {"target": "t"}, "|1|2|", "|1|2|"),
    ("list:reference", {"target": "t"}, "||", "||"),
]

FAULTS = [
    ("string", {"length": 2}, "abc", "too_long"),
    ("string", {}, "a\0b", "bad_value"),
    ("upload", {}, "../../models/db.py", "upload_name"),
    ("upload", {}, "a\\b.txt", "upload_name"),
    ("upload", {}, ".htaccess", "upload_name"),
    ("upload", {}, "a\nb", "upload_name"),
    ("integer", {}, "7.0", "bad_value"),
    ("integer", {}, "7\x1f", "bad_value"),
    ("double", {}, "\x1c7", "bad_value"),
    ("integer", {}, "1e3", "bad_value"),
    ("integer", {}, "0x10", "bad_value"),
    ("integer", {}, "1_000", "bad_value"),
    ("integer", {}, "٣", "bad_value"),
    ("integer", {}, "7; DROP TABLE t", "bad_value"),
    ("integer", {}, "2147483648", "out_of_range"),
    ("integer", {}, "-2147483649", "out_of_range"),
    ("bigint", {}, "9223372036854775808", "out_of_range"),
    ("bigint", {}, "9" * 5000, "out_of_range"),
    ("reference", {"target": "t"}, "9" * 30, "out_of_range"),
    ("double", {}, "1,5", "bad_value"),
    ("double", {}, "abc", "bad_value"),
    ("double", {}, "1_0", "bad_value"),
    ("double", {}, "1e999", "out_of_range"),
    ("double", {}, "nan", "out_of_range"),
    ("double", {}, "inf", "out_of_range"),
    ("decimal", MONEY, "1.505", "out_of_range"),
    ("decimal", MONEY, "1000000", "out_of_range"),
    ("decimal", MONEY, "1e999999999", "out_of_range"),
    ("decimal", MONEY, "1e-999999999", "out_of_range"),
    ("decimal", MONEY, "1,50", "bad_value"),
    ("decimal", MONEY, "1); DROP TABLE t; --", "bad_value"),
    ("decimal", MONEY, "NaN", "bad_value"),
    ("boolean", {}, "maybe", "bad_value"),
    ("boolean", {}, "2", "bad_value"),
    ("date", {}, "2024-02-31", "bad_value"),
    ("date", {}, "2024-02-29 12:00:00", "bad_value"),
    ("date", {}, "20240229", "bad_value"),
    ("date", {}, "2024-W09-4", "bad_value"),
    ("date", {}, "0000-01-01", "bad_value"),
    ("date", {}, "29/02/2024", "spreadsheet_date"),
    ("date", {}, "2/29/24", "spreadsheet_date"),
    ("time", {}, "24:00:00", "bad_value"),
    ("time", {}, "12", "bad_value"),
    ("time", {}, "12:00:00+01:00", "bad_value"),
    ("datetime", {}, "2024-02-31 12:00:00", "bad_value"),
    ("datetime", {}, "2024-02-29 25:00:00", "bad_value"),
    ("datetime", {}, "2024-02-29x12:00:00", "bad_value"),
    ("datetime", {}, "29/02/2024 12:00", "spreadsheet_date"),
    ("datetime", {}, "0001-01-01 00:00:00+14:00", "bad_value"),
    ("json", {}, "{a: 1}", "bad_value"),
    ("json", {}, "NaN", "bad_value"),
    ("json", {}, "[" * 100_000, "bad_value"),
    ("json", {}, "9" * 5000, "bad_value"),
    ("blob", {}, "/wA", "bad_value"),
    ("blob", {}, "not base64!", "bad_value"),
    ("list:string", {}, "a,b", "bad_value"),
    ("list:integer", {}, "|1|x|", "bad_value"),
    ("list:integer", {}, "|9" + "9" * 30 + "|", "out_of_range"),
    ("list:reference", {"target": "t"}, "|1|x|", "bad_value"),
    ("list:reference", {"target": "t"}, "1,2", "bad_value"),
    ("list:reference", {"target": "t"}, "|" + "9" * 30 + "|", "out_of_range"),
]


@pytest.mark.parametrize(("kind", "options", "cell", "expected"), STORED)
def test_a_cell_becomes_the_stored_value(kind, options, cell, expected):
    assert decode(field(kind, **options), cell, SERVER) == expected
    assert decode_column(field(kind, **options), [cell], SERVER) == ([expected], {})


@pytest.mark.parametrize(("kind", "options", "cell", "code"), FAULTS)
def test_a_cell_that_is_no_value_is_a_fault(kind, options, cell, code):
    with pytest.raises(Fault) as caught:
        decode(field(kind, **options), cell, SERVER)
    assert caught.value.code == code
    values, faults = decode_column(field(kind, **options), ["", cell], SERVER)
    assert list(values)[1:] == [None]
    assert [(i, f.code) for i, f in faults.items()] == [(1, code)]


@pytest.mark.parametrize(
    ("kind", "options", "cell", "expected"),
    [
        ("string", {"length": 2}, "abc", "abc"),
        ("string", {}, "a\0b", "a\0b"),
        ("integer", {}, "2147483648", 2147483648),
        ("double", {}, "inf", float("inf")),
        ("double", {}, "-Infinity", float("-inf")),
        ("decimal", MONEY, "1.5", 1.5),
    ],
)
def test_sqlite_takes_what_servers_refuse(kind, options, cell, expected):
    assert decode(field(kind, **options), cell, FILE) == expected


@pytest.mark.parametrize(
    ("kind", "options", "cell"),
    [
        ("decimal", {"precision": 20, "scale": 2}, "123456789012345678.91"),
        ("double", {}, "nan"),
        ("double", {}, "1e999"),
    ],
)
def test_sqlite_refuses_what_it_would_change(kind, options, cell):
    with pytest.raises(Fault):
        decode(field(kind, **options), cell, FILE)


@pytest.mark.parametrize(
    ("kind", "cell", "expected"),
    [
        ("blob", "b'/wAB'", "/wAB"),
        ("blob", "b''", ""),
        ("json", "{'a': 1, 'b': None, 'c': True}", '{"a": 1, "b": null, "c": true}'),
        ("json", "|1|two|{'a': 'b||c'}|", '[1, "two", {"a": "b|c"}]'),
        ("json", "||", "[]"),
        ("json", "True", "true"),
    ],
)
def test_forms_of_stock_pydal_are_understood(kind, cell, expected):
    assert decode(field(kind), cell, SERVER) == expected


@pytest.mark.parametrize("kind", sorted(CODECS))
def test_null_of_every_type(kind):
    assert decode_column(field(kind), [NULL, NULL], SERVER) == ([None, None], {})


@pytest.mark.parametrize("kind", sorted(CODECS))
def test_null_where_a_value_must_be(kind):
    _, faults = decode_column(field(kind, notnull=True), [NULL], SERVER)
    assert [f.code for f in faults.values()] == ["not_null"]


def test_another_word_for_null():
    assert decode_column(field("string"), ["\\N", "a", ""], SERVER, null="\\N") == ([None, "a", ""], {})
    assert decode_column(field("integer"), ["\\N", "1"], SERVER, null="\\N") == ([None, 1], {})


def test_a_fault_leaves_the_other_cells_alone():
    values, faults = decode_column(field("integer"), ["1", "x", "3"], SERVER)
    assert (values, list(faults)) == ([1, None, 3], [1])


@pytest.mark.parametrize("text", ["", "a", NULL, "\\" + NULL, "\\\\\\" + NULL, "\\", "\\a", "x" + NULL, NULL + "x", NULL * 2])
def test_escape_and_back(text):
    assert unescape(escape(text)) == text
    assert escape(text) != NULL


def test_only_what_reads_like_null_is_escaped():
    assert [escape(t) for t in (NULL, "\\" + NULL, "\\a", "x" + NULL)] == ["\\" + NULL, "\\\\" + NULL, "\\a", "x" + NULL]
