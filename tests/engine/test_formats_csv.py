"""The CSV format alone: what is read, how it is cut into tables, which damage is named."""

import contextlib
import csv
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from plugin_sync import FileAltered, FileEncodingError, FileFormatError, FileIncomplete, FileProblem, Origin
from plugin_sync.formats import csv as format_csv
from plugin_sync.formats.contract import Dialect, Reading
from plugin_sync.formats.csv import CsvReader, CsvWriter

from .files import csv_file, single_table

PEOPLE = csv_file(("t", "id,uuid,name", "1,u1,Anna", "2,u2,Bert"), ("e", "id,uuid"))
ORIGIN = Origin("beef", "beef-1", "Main", "2026-01-01T00:00:00Z", 1)


def read(source, **dialect):
    """Return {table: (header, {line: row})} and the reader."""
    if isinstance(source, (str, bytes)):
        source = io.BytesIO(source.encode("utf-8") if isinstance(source, str) else source)
    reader = CsvReader(source, Reading(Dialect(**dialect)))
    found = {}
    for table, header, _, batches in reader.sections():
        rows = [(line, row) for batch in batches for row, line in zip(batch.rows, batch.lines, strict=True)]
        found[table] = (list(header), dict(rows))
    return found, reader


def rows(source, **dialect):
    return {table: list(found.values()) for table, (_, found) in read(source, **dialect)[0].items()}


def written(*tables, origin=ORIGIN):
    writer = CsvWriter(origin)
    data = b""
    for name, header, *cells in tables:
        data += writer.begin(name, header) + writer.rows(cells) + writer.end_table()
    return data + b"".join(writer.end({name: len(cells) for name, _, *cells in tables}))


OURS = written(
    ("t", ["t.id", "t.uuid", "t.name"], [1, "u1", "a,b"], [2, "u2", 'quo"te\r\nline'], [3, "u3", ""]),
    ("one", ["one.code"], [""], ["END"], ["TABLE x"]),
    ("empty", ["empty.id"]),
)
OURS_ROWS = {
    "t": [["1", "u1", "a,b"], ["2", "u2", 'quo"te\r\nline'], ["3", "u3", ""]],
    "one": [[""], ["END"], ["TABLE x"]],
    "empty": [],
}


# ---- what is read


def test_tables_headers_rows_and_lines():
    found, reader = read(PEOPLE)
    assert found == {
        "t": (["t.id", "t.uuid", "t.name"], {3: ["1", "u1", "Anna"], 4: ["2", "u2", "Bert"]}),
        "e": (["e.id", "e.uuid"], {}),
    }
    assert reader.footer is None


def test_what_was_written_is_read():
    found, reader = read(OURS)
    assert {t: list(r.values()) for t, (_, r) in found.items()} == OURS_ROWS
    assert (reader.footer.origin, dict(reader.footer.rows)) == (ORIGIN, {"t": 3, "one": 3, "empty": 0})
    assert reader.source.size_bytes == len(OURS)


def test_lines_are_counted_through_cells_of_many_lines():
    text = csv_file(("t", "id,name", '1,"a\r\nb\rc\nd"', "2,x", '"3\n","\n"', "4,y"))
    assert list(read(text)[0]["t"][1]) == [3, 7, 8, 11]


def test_lines_beyond_a_batch(monkeypatch):
    monkeypatch.setattr(format_csv, "BATCH", 3)
    text = csv_file(("t", "id,name", *(f'{i},"a\nb"' if i % 4 == 0 else f"{i},x" for i in range(20))), ("e", "id", "1"))
    found, _ = read(text)
    actual = text.replace("\r\n", "\n").split("\n")
    assert all(actual[line - 1].startswith(f"{row[0]},") for line, row in found["t"][1].items())
    assert [row[0] for row in found["t"][1].values()] == [str(i) for i in range(20)]
    assert [actual[line - 1] for line in found["e"][1]] == ["1"]


def test_a_table_without_rows_as_stock_pydal_writes_it():
    assert rows("TABLE t\r\n\r\n\r\nTABLE s\r\ns.id\r\n1\r\n\r\n\r\nEND") == {"t": [], "s": [["1"]]}


@pytest.mark.parametrize("end", ["END", "END\n", "END\r\n", "END\r\n\r\n"])
def test_ends(end):
    assert rows(csv_file(("t", "id", "1"), end=end)) == {"t": [["1"]]}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends(line_end):
    assert rows(PEOPLE.replace("\r\n", line_end)) == {"t": [["1", "u1", "Anna"], ["2", "u2", "Bert"]], "e": []}


def test_blank_lines_do_not_end_a_table_whose_rows_go_on():
    text = "TABLE t\r\nt.id,t.name\r\n1,a\r\n\r\n2,b\r\n\r\n\r\n\r\n3,c\r\n\r\nTABLE s\r\ns.id\r\n\r\n\r\nEND"
    assert read(text)[0]["t"][1] == {3: ["1", "a"], 5: ["2", "b"], 9: ["3", "c"]}


def test_a_byte_order_mark_is_dropped():
    assert rows(PEOPLE.encode("utf-8-sig")) == rows(PEOPLE)


def test_nul_inside_a_cell_is_kept():
    assert rows(csv_file(("t", "id,name", "1,a\0b"))) == {"t": [["1", "a\0b"]]}


def test_huge_cells():
    text = "x" * 3_000_000
    assert rows(csv_file(("t", "id,name", f"1,{text}"))) == {"t": [["1", text]]}


def test_other_dialects():
    text = "TABLE t\nt.id;t.name\n1;'a;b'\n\n\nEND"
    assert rows(text, delimiter=";", quotechar="'") == {"t": [["1", "a;b"]]}
    assert rows('TABLE t\nt.id,t.name\n1,a"b\n\n\nEND', quoting=csv.QUOTE_NONE) == {"t": [["1", 'a"b']]}
    latin = "TABLE t\nt.id,t.name\n1,é\n\n\nEND".encode("latin-1")
    assert rows(latin, encoding="latin-1") == {"t": [["1", "é"]]}


# ---- one table only


def test_a_file_of_one_table():
    assert rows(single_table("t.id,t.name", "1,Anna", "", "2,Bert")) == {"t": [["1", "Anna"], ["2", "Bert"]]}


def test_a_header_without_table_needs_the_table_s_name():
    assert rows(single_table("id,name", "1,Anna"), table="t") == {"t": [["1", "Anna"]]}
    with pytest.raises(FileFormatError, match="neither with a line TABLE name nor"):
        rows(single_table("id,name", "1,Anna"))


def test_a_header_of_two_tables_is_no_file_of_one():
    with pytest.raises(FileFormatError, match="neither with a line TABLE name nor"):
        rows(single_table("t.id,s.name", "1,Anna"))


# ---- file objects


def file_objects(data):
    """Yield (name, file object) of each kind that callers have."""
    text = data.decode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.csv")
        path.write_bytes(data)
        for name, options in {
            "binary": {"mode": "rb"},
            "unbuffered": {"mode": "rb", "buffering": 0},
            "text": {"encoding": "utf-8", "newline": ""},
            "text with newline translation": {"encoding": "utf-8"},
            "text with a byte order mark's encoding": {"encoding": "utf-8-sig"},
        }.items():
            with path.open(**options) as file:
                yield name, file
        with tempfile.SpooledTemporaryFile() as file:
            file.write(data)
            file.seek(0)
            yield "spooled", file
    yield "BytesIO", io.BytesIO(data)
    yield "StringIO", io.StringIO(text, newline="")
    yield "pipe", pipe(data)


def pipe(data):
    """A file that cannot be rewound, like standard input."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file:
        file.write(data)  # less than a pipe's buffer
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("index", range(9))
def test_every_kind_of_file_object(index):
    with contextlib.closing(file_objects(OURS)) as files:
        name, file = next(pair for i, pair in enumerate(files) if i == index)
        found, reader = read(file)
        assert {t: list(r.values()) for t, (_, r) in found.items()} == OURS_ROWS, name
        assert reader.footer is not None
        file.close()


def test_standard_input():
    code = """if True:
        import sys
        from plugin_sync.formats.csv import CsvReader
        print([table for table, *_ , batches in CsvReader(sys.stdin).sections() for _ in batches])
    """
    package = Path(format_csv.__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], input=OURS, capture_output=True, check=True, env={"PYTHONPATH": str(package)}
    )
    assert done.stdout.split() == [b"['t',", b"'one']"]


def test_a_text_file_is_read_from_where_it_stands():
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as file:
        file.write("a letter before\n" + PEOPLE)
        file.seek(0)
        file.readline()
        assert rows(file) == rows(PEOPLE)


def test_half_a_character_in_a_text():
    with pytest.raises(FileEncodingError):
        rows(io.StringIO(csv_file(("t", "id,name", "1,\ud800"))))


# ---- damage

PADDED = b"TABLE t,,\r\nt.id,t.uuid,t.name\r\n1,u1,Anna\r\n,,\r\nEND,,\r\n"
NO_TABLE = "the file begins neither with a line TABLE name nor with a header table.column,..."


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", FileFormatError, "the file is empty"),
        (b"\r\n\r\n", FileFormatError, "the file is empty"),
        (b"\xef\xbb\xbf", FileFormatError, "the file is empty"),
        (PEOPLE.encode("utf-16"), FileEncodingError, "the file is in UTF-16"),
        (csv_file(("t", "id,name", "1,Zoë")).encode("latin-1"), FileEncodingError, "the file is not text in UTF-8"),
        (PEOPLE.replace(",", ";").encode(), FileFormatError, "the columns are separated by semicolons"),
        (PEOPLE.replace(",", "\t").encode(), FileFormatError, "the columns are separated by tabs"),
        (b"t.id;t.name\r\n1;Anna\r\n", FileFormatError, "the columns are separated by semicolons"),
        (PADDED, FileFormatError, "a spreadsheet has padded the rows of this file"),
        (b"TABLE t\r\nt.id,t.uuid\r\n1,u1\r\n", FileIncomplete, "the file is incomplete: its END is missing"),
        (b"TABLE t\r\nt.id,t.name\r\n1,\"Anna", FileIncomplete, "the file is incomplete: it ends inside a cell"),
        (b"TABLE t\r\nt.id,t.name\r\n1,\"An\"na\r\n\r\n\r\nEND", FileFormatError, "the quotes of this line do not match"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", FileFormatError, "the selected file must be a CSV, XML or ZIP; it is an image"),
        (b"\x93NUMPY\x01\0", FileEncodingError, "the file is not text in UTF-8"),
        (
            b"PK\x03\x04\x14\0\0\0,a\0b\n",
            FileFormatError,
            "the selected file must be a CSV, XML or ZIP; it is a ZIP archive or a spreadsheet (XLSX, ODS)",
        ),
        (b"\0asm,a\0b\n", FileFormatError, "the selected file must be a CSV, XML or ZIP"),
        (
            b"\n <!DOCTYPE html><p>Please sign in</p>\n<p>\n",
            FileFormatError,
            "the selected file must be a CSV, XML or ZIP; it is a web page",
        ),
        (b"\xef\xbb\xbf<?xml version='1.0'?><s3xml/>", FileFormatError, "the selected file must be a CSV, XML or ZIP; it is XML"),
        (b"Name,Age\nAnna,3\n", FileFormatError, NO_TABLE),
        (b"Hello, this is a letter.\nBest wishes\n", FileFormatError, NO_TABLE),
        (b"Hello\n", FileFormatError, "this is no exported file: it begins with 'Hello'"),
        (b"EN", FileIncomplete, "the file is incomplete: it ends with 'EN'"),
        (b"TABLE", FileIncomplete, "the file is incomplete: it ends with 'TABLE'"),
    ],
)  # fmt: skip
def test_damage_is_named(data, error, message):
    with pytest.raises(error) as caught:
        rows(data)
    assert (type(caught.value), caught.value.message) == (error, message)
    assert caught.value.hint or "empty" in message


def test_places_of_damage():
    with pytest.raises(FileFormatError) as caught:
        rows(csv_file(("t", "id,name", "1,Anna", '2,"a"b')))
    assert caught.value.line == 4
    with pytest.raises(FileFormatError) as caught:
        rows(csv_file(("t", "id,name", "1,Anna")).replace("END", "STOP"))
    assert caught.value.line == 6


def test_a_longer_cell_than_is_taken(monkeypatch):
    monkeypatch.setattr(format_csv, "MAX_CELL", 131_072)
    limit = csv.field_size_limit(131_072)
    try:
        with pytest.raises(FileFormatError, match="a cell is longer than 131,072 characters"):
            rows(csv_file(("t", "id,name", "1," + "x" * 131_073)))
    finally:
        csv.field_size_limit(limit)


@pytest.mark.parametrize(
    "after",
    ["garbage\r\n", "TABLE t\r\n", "\r\n,,\r\n", "SYNC\r\n", '"', "\0", "x" * 400_000],
)
def test_garbage_after_end(after):
    with pytest.raises(FileProblem):
        rows(PEOPLE + after)
    with pytest.raises(FileProblem):
        rows(OURS + after.encode())


def test_two_footers():
    footer = OURS[OURS.rindex(b"SYNC ") :]
    with pytest.raises(FileAltered):
        rows(OURS + footer)


@pytest.mark.parametrize("footer", ["SYNC", "SYNC {}", "SYNC []", "SYNC null", 'SYNC {"rows":[],"sha256":""}', "SYNC {" * 9999])
def test_a_damaged_footer(footer):
    with pytest.raises(FileProblem):
        rows(PEOPLE + footer)


def test_a_file_of_a_later_version():
    with pytest.raises(FileFormatError, match="the file is of version 2, this program knows 1"):
        rows(OURS.replace(b'"version":1', b'"version":2'))


def test_a_cell_may_look_like_a_footer():
    text = csv_file(("t", "id,name", '1,"a\r\nSYNC {}\r\nb"'))
    assert rows(text) == {"t": [["1", "a\r\nSYNC {}\r\nb"]]}
    assert rows(text.replace("\r\n", "\n")) == {"t": [["1", "a\nSYNC {}\nb"]]}


def test_an_end_may_be_missing_when_asked_for():
    assert rows(PEOPLE.replace("END\r\n", ""), require_end=False) == rows(PEOPLE)


def test_cut_at_every_byte():
    whole = [n for n in range(len(OURS)) if taken(OURS[:n])]
    body = OURS.rindex(b"SYNC ")
    assert whole == [body - 2, body - 1, body, len(OURS) - 2, len(OURS) - 1]


def taken(data):
    """Whether the bytes are read without an error; nothing but a FileProblem may be raised."""
    with contextlib.suppress(FileProblem):
        assert rows(data) == OURS_ROWS
        return True
    return False


def test_stock_files_cut_at_every_byte():
    data = PEOPLE.encode()
    read_whole = []
    for n in range(len(data)):
        with contextlib.suppress(FileProblem):
            assert rows(data[:n]) == rows(PEOPLE)
            read_whole.append(n)
    assert read_whole == [len(data) - 2, len(data) - 1]


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80])
def test_every_byte_flipped(mask):
    """Every byte before the footer is under its hash; what the footer tells beside it is not (rows are counted elsewhere)."""
    unnoticed = [n for n in range(len(OURS)) if taken(OURS[:n] + bytes([OURS[n] ^ mask]) + OURS[n + 1 :])]
    footer = OURS.rindex(b"SYNC ")
    harmless = range(footer, OURS.index(b'"sha256"'))
    assert [n for n in unnoticed if n not in harmless] == []
