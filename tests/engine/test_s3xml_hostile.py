"""XML made to harm, and XML that came to harm: a clear error, and nothing written."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_sync import FileFormatError, FileIncomplete, FileProblem, SyncError, import_csv
from plugin_sync.formats.s3xml import parser

from .databases import database
from .files import give
from .states import contents
from .test_properties import THOROUGH, offices, some, survives
from .test_s3xml import s3xml

RECORD = '<resource name="org" uuid="o1"><data field="name">{}</data></resource>'
BOMB = '<!DOCTYPE s3xml [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">{}]>'.format(
    "".join(f'<!ENTITY {x} "{f"&{y};" * 8}">' for y, x in zip("bcdefgh", "cdefghi", strict=True))
)


@pytest.fixture
def db():
    with database("sqlite") as found:
        offices(found)
        yield found


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret.txt"
    file.write_text("canary", encoding="utf-8")
    return file


def refused(db, data, kind=FileProblem, words="."):
    """Import what has to be refused."""
    before = contents(db)
    with pytest.raises(kind, match=words) as error:
        import_csv(db, io.BytesIO(data if isinstance(data, bytes) else data.encode()), strict=False)
    assert contents(db) == before
    assert "canary" not in str(error.value)
    assert error.value.hint
    return error.value


DOCUMENT_TYPES = {
    "entity bomb": BOMB,
    "external entity": '<!DOCTYPE s3xml [<!ENTITY a SYSTEM "file://{secret}">]>',
    "parameter entity": '<!DOCTYPE s3xml [<!ENTITY % p SYSTEM "file://{secret}"> %p;]>',
    "external DTD": '<!DOCTYPE s3xml SYSTEM "file://{secret}">',
    "DTD on the net": '<!DOCTYPE s3xml SYSTEM "http://127.0.0.1:9/x.dtd">',
    "public DTD": '<!DOCTYPE s3xml PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://127.0.0.1:9/x.dtd">',
    "default attributes": '<!DOCTYPE s3xml [<!ATTLIST resource name CDATA "org">]>',
    "empty": "<!DOCTYPE s3xml>",
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("kind", DOCUMENT_TYPES)
def test_any_document_type_is_refused(db, secret, kind, encoding):
    declared = "utf-16" if encoding.startswith("utf-16") else "utf-8"
    for said in ("&a;", "&h;", "plain"):
        text = f'<?xml version="1.0" encoding="{declared}"?>' + DOCUMENT_TYPES[kind].replace("{secret}", str(secret))
        refused(db, (text + f"<s3xml>{RECORD.format(said)}</s3xml>").encode(encoding))


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "utf-32", "utf-7"])
def test_a_document_type_in_a_rare_encoding_is_refused(db, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?>{BOMB}<s3xml>{RECORD.format("&i;")}</s3xml>'
    refused(db, text.encode(encoding))


def test_an_entity_that_nobody_declared(db):
    refused(db, s3xml(RECORD.format("&a;")), FileFormatError, "the XML is not well-formed: Entity 'a' not defined")


def test_a_bomb_in_an_attribute_of_the_root(db):
    refused(db, f'{BOMB}<s3xml domain="&i;">{RECORD.format("x")}</s3xml>')


ATTRIBUTES = "<x " + " ".join(f'a{i}=""' for i in range(2000)) + "/>"
HUGE = {
    "nesting": "<resource>" * 300 + "</resource>" * 300,
    "text": RECORD.format("x" * 10_000_001),
    "attribute": f'<resource name="org" uuid="{"u" * 10_000_001}"/>',
    "name": f"<{'n' * 60_000}/>",
    "elements": f'<resource name="org" uuid="o1">{"<x/>" * 1_100_000}</resource>',
    "attributes": f'<resource name="org" uuid="o1">{ATTRIBUTES * 550}</resource>',
    "never ending": "<x/>" * 1_100_000,
}


@pytest.mark.parametrize("kind", HUGE)
def test_what_would_fill_the_memory_is_refused(db, kind):
    refused(db, s3xml(RECORD.format("first").replace("o1", "o0"), HUGE[kind]), FileFormatError)


def test_much_text_in_one_resource_is_refused(db, monkeypatch):
    monkeypatch.setattr(parser, "MAX_RESOURCE", 1 << 20)
    many = "".join(f'<data field="f{i}">{"x" * 100_000}</data>' for i in range(12))
    refused(db, s3xml(f'<resource name="org" uuid="o1">{many}</resource>'), FileFormatError, "larger than")


def test_a_long_beginning_without_a_root_is_refused(db):
    refused(db, "<!-- " + "x" * 2_000_000 + " -->", FileFormatError, "the XML has no root element at its beginning")


def test_xinclude_and_instructions_are_passed_over(db, secret):
    said = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://{secret}" parse="text"/>'
    document = s3xml(said, f'<?xml-stylesheet href="file://{secret}"?>', RECORD.format("<!-- x -->Red <?y z?>Cross"))
    import_csv(db, io.BytesIO(document.encode()))
    assert [row.name for row in db(db.org).select()] == ["Red Cross"]
    inside = refused_row(db, RECORD.format(said))
    assert inside.message == "holds elements where a value should be"


def refused_row(db, record):
    report = import_csv(db, io.BytesIO(s3xml(record).encode()), strict=False)
    [problem] = report.problems
    return problem


def test_compressed_xml_is_not_unpacked(db):
    refused(db, gzip.compress(s3xml(RECORD.format("x")).encode()), FileFormatError, r"it is compressed \(gzip\)")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html><body/></html>", "it is a web page"),
        (b"<?xml version='1.0'?><html/>", "the XML is not S3XML: it begins with <html>"),
        (b"<s3xml xmlns='urn:x'/>", "the XML is not S3XML"),
        (b"\n<?xml version='1.0'?><s3xml/>", "the XML is not well-formed"),
        (b"<s3xml/><s3xml/>", "the XML is not well-formed: Extra content at the end"),
        (b"<s3xml>\xff</s3xml>", "the XML is not well-formed"),
        (b"<s3xml>\x01</s3xml>", "the XML is not well-formed"),
        (b"<?xml version='1.0' encoding='nonsense'?><s3xml/>", "the XML is not well-formed"),
        (b"<s3xml><resource name='org'></s3xml>", "the XML is not well-formed"),
        (b"<?xml version='1.0'?>", "the file is incomplete"),
        (b"<s3xml", "the file is incomplete"),
    ],
)
def test_other_files_are_named(db, data, words):
    refused(db, data, words=words)


def test_credentials_are_refused(db):
    refused(db, s3xml('<resource name="auth_user" uuid="x"/>'), SyncError, "which is never imported")


def test_it_is_refused_cut_at_every_byte(db):
    """Only what stands behind the last element may be missing."""
    source = s3xml(RECORD.format("Red Cross"), '<resource name="person" uuid="p1"><data field="ok" value="true"/></resource>')
    import_csv(db, io.BytesIO(source.encode()))
    data = give(db, form="s3xml")
    db.rollback()
    end = data.index(b"</s3xml>") + len(b"</s3xml>")
    before = contents(db)
    for size in range(1, len(data) - 1):
        cut = io.BytesIO(data[:size])
        if end <= size <= end + 1:
            assert import_csv(db, cut).counts.new == 2
            db.rollback()
            continue
        with pytest.raises(FileProblem):
            import_csv(db, cut)
        assert contents(db) == before
    with pytest.raises(FileIncomplete, match="the file is incomplete: its last element does not end"):
        import_csv(db, io.BytesIO(data[: end - 20]))


def test_it_is_refused_with_any_bit_flipped(db):
    """The footer knows each byte before it; what stands behind is its own."""
    import_csv(db, io.BytesIO(s3xml(RECORD.format("Red Cross")).encode()))
    data = give(db, form="s3xml")
    db.rollback()
    before = contents(db)
    for at in range(data.index(b"<?SYNC")):
        flipped = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        with pytest.raises(SyncError):
            import_csv(db, io.BytesIO(flipped))
        assert contents(db) == before


def test_any_damage_is_refused_or_taken_whole(db):
    """Documents without a footer, whose damage nobody can know if it is XML still."""
    whole = s3xml(
        RECORD.format("Red Cross"),
        '<resource name="person" uuid="p1"><data field="born" value="2000-01-01"/><data field="ok" value="true"/>'
        '<reference field="org" resource="org" uuid="o1"/></resource>',
        '<resource name="link"><reference field="org" resource="org" uuid="o1"/></resource>',
    ).encode()
    pieces = [b"<", b">", b"/>", b'"', b"&", b"]]>", b"<!DOCTYPE x>", b"<resource>", b'name="org"', b"\0", b"\xff", b"null"]

    @some(max_examples=600 // THOROUGH)
    @given(st.data(), st.booleans())
    def damage(data, strict):
        at, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
        piece = data.draw(st.sampled_from(pieces) | st.binary(max_size=4))
        made = data.draw(st.sampled_from([whole[:at] + piece + whole[at:], whole[:at] + piece + whole[end:], whole[:at] + piece]))
        survives(db, made, "theirs", strict=strict)

    damage()
