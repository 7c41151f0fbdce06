"""S3XML: what is written, and documents laid out as Sahana Eden's own."""

import io
import json
import subprocess
import sys
import xml.sax.saxutils
from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree
from pydal import Field

from plugin_sync import Counts, FileAltered, FileFormatError, RowsRejected, Settings, SettingsError, export_file, import_csv
from plugin_sync.exporter import Export
from plugin_sync.formats.contract import Reading, Writing
from plugin_sync.formats.registry import S3XML, format_of_file
from plugin_sync.formats.s3xml import S3xmlReader, S3xmlWriter, is_start, parser
from plugin_sync.formats.s3xml.records import Records
from plugin_sync.formats.s3xml.spool import Spool
from plugin_sync.records import FieldSpec, Identity, TableSpec
from plugin_sync.values import NULL, escape

from .databases import database
from .files import csv_file, give, outcomes, places, take
from .states import contents, records
from .test_properties import THOROUGH, cells_of, some

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def s3xml(*resources, root="s3xml", attributes=""):
    """Return a document of these resources."""
    return f'<?xml version="1.0"?>\n<{root}{attributes}>\n' + "\n".join(resources) + f"\n</{root}>\n"


def offices(db):
    db.define_table(
        "org_organisation",
        Field("uuid", length=64),
        Field("name", length=64),
        Field("acronym", length=64),
        Field("comments", "text"),
        Field("deleted", "boolean", default=False),
        Field("created_on", "datetime"),
        Field("modified_on", "datetime"),
    )
    db.define_table(
        "pr_person",
        Field("uuid", length=64),
        Field("first_name", length=64),
        Field("born", "date"),
        Field("height", "double"),
        Field("organisation_id", "reference org_organisation"),
        Field("orgs", "list:reference org_organisation"),
        Field("tags", "list:string"),
        Field("picture", "upload", autodelete=False),
        Field("modified_on", "datetime"),
    )
    db.define_table(
        "pr_contact",
        Field("uuid", length=64),
        Field("person_id", "reference pr_person"),
        Field("reported_by", "reference pr_person"),
        Field("value", length=64),
    )
    db.commit()


@pytest.fixture
def db():
    with database("sqlite") as found:
        offices(found)
        yield found


def shown(db, table, *names):
    return [tuple(row[name] for name in names) for row in db(db[table]).select(orderby=db[table].id)]


# ---- what is written


def test_the_whole_document(db):
    org = db.org_organisation.insert(uuid="o1", name="Red & <Cross>", deleted=True, modified_on=datetime(2024, 1, 2, 3, 4, 5))
    db.pr_person.insert(
        uuid="p1", first_name="", organisation_id=org, orgs=[org], tags=["a|b"], born=date(2000, 1, 2), picture="x.png"
    )
    nameless = db.pr_person.insert(first_name="\x01", orgs=[])
    db.pr_contact.insert(uuid="c1", person_id=nameless, value=NULL)
    db.commit()

    data = b"".join(Export(db, form=S3XML, clock=lambda: MOMENT))

    text, _, last = data.decode().partition("<?SYNC ")
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<s3xml success="true">\n'
        '<resource name="org_organisation" uuid="o1" deleted="True" modified_on="2024-01-02T03:04:05">'
        '<data field="created_on" null="true"/><data field="name" value="&quot;Red &amp; &lt;Cross&gt;&quot;"/>'
        '<data field="acronym" null="true"/><data field="comments" null="true"/></resource>\n'
        '<resource name="pr_person" uuid="p1"><data field="modified_on" null="true"/><data field="first_name"/>'
        '<data field="born" value="2000-01-02"/><data field="height" null="true"/>'
        '<reference field="organisation_id" resource="org_organisation" uuid="o1"/>'
        '<reference field="orgs" resource="org_organisation" uuid="[&quot;o1&quot;]"/>'
        '<data field="tags" value="[&quot;a|b&quot;]"/><data field="picture" filename="x.png"/></resource>\n'
        '<resource name="pr_person" tuid="2"><data field="modified_on" null="true"/>'
        '<data field="first_name" value="&quot;\\u0001&quot;"/><data field="born" null="true"/>'
        '<data field="height" null="true"/><reference field="organisation_id" resource="org_organisation" null="true"/>'
        '<reference field="orgs" resource="org_organisation" uuid="[]"/><data field="tags" null="true"/>'
        '<data field="picture" null="true"/></resource>\n'
        '<resource name="pr_contact" uuid="c1"><reference field="person_id" resource="pr_person" tuid="2"/>'
        '<reference field="reported_by" resource="pr_person" null="true"/>'
        '<data field="value">&lt;NULL&gt;</data></resource>\n</s3xml>\n'
    )
    footer = json.loads(last.removesuffix("?>\n"))
    assert footer["rows"] == {"org_organisation": 1, "pr_person": 2, "pr_contact": 1}
    assert footer["made_utc"] == "2026-01-02T03:04:05Z"
    assert etree.fromstring(data).tag == "s3xml"


def test_the_footer_tells_where_a_document_came_from_and_that_it_is_as_it_was(db):
    class Me:
        base_uuid, uuid, name = "beef", "beef-1", "Office -- ?> here"

    db.org_organisation.insert(uuid="o1", name="Red Cross")
    data = give(db, form="s3xml", instance=Me)
    with database("sqlite") as other:
        offices(other)
        report = take(other, data)
        assert (report.origin.instance, report.origin.name) == ("beef-1", "Office -- ?> here")
        before = contents(other)
        with pytest.raises(FileAltered, match="the file is not as it was written"):
            take(other, data.replace(b"Red Cross", b"Rad Cross"))
        assert contents(other) == before


def test_the_report_names_rows_and_hash(db):
    db.org_organisation.insert(uuid="o1")
    file = io.BytesIO()
    report = export_file(db, file, "s3xml")
    data = file.getvalue()
    assert (report.rows["org_organisation"], report.size_bytes) == (1, len(data))
    assert report.sha256 == json.loads(data.split(b"<?SYNC ")[1].removesuffix(b"?>\n"))["sha256"]


def test_a_value_that_no_parser_takes_is_not_written(db):
    db.org_organisation.insert(uuid="o1", comments="x" * 9_500_000)
    with pytest.raises(Exception, match="a value of more than 9 MB cannot travel in XML"):
        give(db, form="s3xml")


def test_an_unknown_format_is_named_with_those_there_are(db):
    with pytest.raises(SettingsError, match=r"There are: csv, .*s3xml"):
        give(db, form="yaml")


def test_eden_would_read_the_same_texts(db):
    """Eden unescapes the text of an element twice, and takes `value` as JSON: it must come to the same text either way."""
    texts = ["a", "&lt;", "a & b", "<x>", " ", "\t", "\r\n", "x\x0by", "\ufffe", '"', "null", "5", "  a  ", "]]>"]
    for number, text in enumerate(texts):
        db.org_organisation.insert(uuid=f"o{number}", comments=text)
    root = etree.fromstring(give(db, form="s3xml"), etree.XMLParser(remove_blank_text=True))
    found = [element for element in root.iter("data") if element.get("field") == "comments"]
    assert [
        json.loads(e.get("value")) if e.get("value") else xml.sax.saxutils.unescape(e.text, {"&apos;": "'", "&quot;": '"'})
        for e in found
    ] == texts


KINDS = ["string", "text", "integer", "double", "decimal", "boolean", "date", "time", "datetime", "json", "blob", "upload"]
KINDS += ["list:string", "list:integer", "bigint", "float", "jsonb"]


@pytest.mark.parametrize("kind", KINDS)
@some(max_examples=150 // THOROUGH)
@given(data=st.data())
def test_every_cell_comes_back_as_it_was(kind, data):
    """Also cells that no value of the type has: what a database holds is not for a format to judge."""
    cells = data.draw(cells_of(kind).map(lambda cells: [c for c in cells if not any("\ud800" <= x <= "\udfff" for x in c)]))
    if kind in ("string", "text", "upload"):
        cells = [c if c == NULL else escape(c) for c in cells]
    assert round_trip(FieldSpec("f", "f", kind), cells) == cells


REFERENCES = st.sampled_from(["7", NULL, "x", "-1", ""])
UIDS = st.sampled_from(["u1", NULL, " ", "", "a\x01", "urn:uuid:1", 'a"b&<', "dom/x"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=6
)


@some(max_examples=200 // THOROUGH)
@given(st.lists(st.tuples(REFERENCES, UIDS), min_size=1, max_size=5))
def test_every_reference_comes_back_as_what_it_means(pairs):
    """A uuid is enough: beside one the id says nothing."""
    spec = FieldSpec("f", "f", "reference", target="t")
    expected = [(NULL, key) if key.strip() and key != NULL else (ident, NULL) for ident, key in pairs]
    found = round_trip(spec, pairs)
    assert [(i if k == NULL or not k.strip() else NULL, k if k.strip() else NULL) for i, k in found] == expected


LISTS = st.lists(st.tuples(st.integers(1, 99), st.none() | UIDS.filter(lambda u: u.strip() and u != NULL)), max_size=4)


@some(max_examples=200 // THOROUGH)
@example([[]])
@given(st.lists(LISTS, min_size=1, max_size=3))
def test_every_list_of_references_comes_back_as_what_it_means(lists):
    def bars(items):
        return f"|{'|'.join(items)}|"

    pairs = [
        (bars([str(i) for i, _ in items]), bars([NULL if u is None else u.replace("|", "||") for _, u in items]))
        for items in lists
    ]
    found = round_trip(FieldSpec("f", "f", "list:reference", target="t"), pairs)
    for (ident, key), (ident_back, key_back) in zip(pairs, found, strict=True):
        assert key_back == key
        assert ident_back == ident or NULL not in key


def round_trip(spec, cells):
    """Write rows of one column, or of a reference and its companion, and read them again."""
    table = TableSpec("t", "t", "t", (FieldSpec("uuid", "uuid", "string"), spec), Identity.UUID, uuid_name="uuid")
    writer = S3xmlWriter(Writing(specs={"t": table}))
    header = ["t.id", "t.uuid", f"t.{spec.name}"] + ([f"t.{spec.name}.uuid"] if spec.target else [])
    rows = [(n, f"u{n}", *(cell if spec.target else (cell,))) for n, cell in enumerate(cells)]
    data = writer.begin("t", header) + writer.rows(rows) + b"".join(writer.end({"t": len(rows)}))
    [section] = [
        (section.header, list(section.batches))
        for section in S3xmlReader(io.BytesIO(data), Reading(specs={"t": table})).sections()
    ]
    names, batches = section
    assert all(not batch.absent and not batch.refused for batch in batches)
    at = [names.index(f"t.{spec.name}")] + ([names.index(f"t.{spec.name}.uuid")] if spec.target else [])
    found = [[row[i] for i in at] for batch in batches for row in batch.rows]
    return [tuple(row) for row in found] if spec.target else [row[0] for row in found]


# ---- which files are taken for XML


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso-8859-1"])
def test_any_usual_encoding_is_read(db, encoding):
    declared = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding)
    text = f'<?xml version="1.0" encoding="{declared}"?><s3xml><resource name="org_organisation" uuid="o1">'
    text += '<data field="name">Croix-Rouge ' + ("&#233;" if encoding == "ascii" else "é") + "</data></resource></s3xml>"
    assert take(db, text.encode(encoding)).counts == Counts(new=1)
    assert shown(db, "org_organisation", "name") == [("Croix-Rouge é",)]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"<s3xml>", True), (b"  \r\n<?xml ", True), (b"\xef\xbb\xbf<!-- -->", True), (b"<!DOCTYPE s3xml>", True),
        ("<s3xml>".encode("utf-16"), True), ("\n<s3xml>".encode("utf-16-be"), True), (b"<!DOCTYPE html>", False),
        (b"<HTML>", False), (b"TABLE t", False), (b"", False), (b"<", False), (b"< 5,x", False), (b"\x1f\x8b", False),
    ],
)  # fmt: skip
def test_how_xml_begins(start, expected):
    assert is_start(start) == expected
    assert (format_of_file(io.BytesIO(start)) is S3XML) == expected


# ---- documents as Eden writes them


def test_a_document_as_eden_exports_it(db):
    document = s3xml(
        '<resource name="org_organisation" uuid="urn:uuid:1" url="http://eden/org/1" created_on="2012-05-06T07:08:09" '
        'modified_on="2012-05-06T07:08:10" created_by="admin@example.com" owned_by_group="1" mci="1">'
        '<data field="name">Red Cross</data><data field="acronym" value="&quot;RC&quot;">Acronym: RC</data>'
        '<data field="comments" value="5">five</data><map lat="1.0"/></resource>',
        '<resource name="pr_person" uuid="urn:uuid:2" modified_on="2012-05-06T07:08:11Z">'
        '<data field="first_name">Anna</data><data field="born" value="1970-02-03">03/02/1970</data>'
        '<data field="height" value="1.75">1.75 m</data>'
        '<data field="tags" value="[&quot;one&quot;, &quot;two&quot;]">one, two</data>'
        '<data field="picture" url="http://eden/default/download/pr_person.picture.9f.61.png" filename="me.png"/>'
        '<reference field="organisation_id" resource="org_organisation" uuid="urn:uuid:1">Red Cross</reference>'
        '<reference field="orgs" resource="org_organisation" uuid="[&quot;urn:uuid:1&quot;]"/>'
        '<resource name="pr_contact" uuid="urn:uuid:3"><data field="value">+509</data></resource></resource>',
        attributes=' success="true" results="2" domain="eden.example.org" url="http://eden"',
    )
    assert take(db, document).counts == Counts(new=3)
    assert shown(db, "org_organisation", "uuid", "name", "acronym", "comments", "deleted", "created_on", "modified_on") == [
        ("urn:uuid:1", "Red Cross", "RC", "5", False, datetime(2012, 5, 6, 7, 8, 9), datetime(2012, 5, 6, 7, 8, 10))
    ]
    assert shown(db, "pr_person", "first_name", "born", "height", "tags", "picture", "organisation_id", "orgs") == [
        ("Anna", date(1970, 2, 3), 1.75, ["one", "two"], "pr_person.picture.9f.61.png", 1, [1])
    ]
    assert shown(db, "pr_contact", "uuid", "person_id", "reported_by", "value") == [("urn:uuid:3", 1, None, "+509")]
    before = contents(db)
    assert take(db, document).counts == Counts(same=3)
    assert contents(db) == before


def test_records_that_only_tuids_name(db):
    document = s3xml(
        '<resource name="org_organisation" tuid="Org A"><data field="name">A</data></resource>',
        '<resource name="org_organisation" tuid="Org B"><data field="name">B</data></resource>',
        '<resource name="pr_person"><data field="first_name">Bo</data>'
        '<reference field="organisation_id" resource="org_organisation" tuid="Org B"/>'
        '<reference field="orgs" resource="org_organisation" tuid="[&quot;Org B&quot;,&quot;Org A&quot;]"/></resource>',
    )
    assert take(db, document).counts == Counts(new=3)
    assert shown(db, "pr_person", "first_name", "organisation_id", "orgs") == [("Bo", 2, [2, 1])]
    assert all(len(row.uuid) == 36 for row in db(db.org_organisation).select())
    assert take(db, document).counts == Counts(same=3)


def test_a_tuid_means_nothing_outside_its_document(db):
    db.org_organisation.insert(uuid="o1", name="A stranger")
    document = s3xml(
        '<resource name="pr_person" uuid="p1">'
        '<reference field="organisation_id" resource="org_organisation" tuid="1"/></resource>'
    )
    with pytest.raises(RowsRejected) as refused:
        take(db, document)
    assert places(refused.value.problems) == [("missing_parent", "pr_person", 3, "organisation_id")]


def test_a_record_without_uuid_is_matched_by_its_match_key(db):
    db.org_organisation.insert(uuid="o1", name="Red Cross", acronym="RC")
    settings = Settings(match={"org_organisation": ("name",)})
    document = s3xml(
        '<resource name="org_organisation" tuid="x"><data field="name">red cross</data>'
        '<data field="comments">new</data></resource>',
        '<resource name="pr_person" uuid="p1">'
        '<reference field="organisation_id" resource="org_organisation" tuid="x"/></resource>',
    )
    report = take(db, document, "theirs", settings=settings)
    assert outcomes(report) == {"org_organisation": {"changed": 1}, "pr_person": {"new": 1}}
    assert shown(db, "org_organisation", "uuid", "name", "acronym", "comments") == [("o1", "red cross", "RC", "new")]
    assert shown(db, "pr_person", "organisation_id") == [(1,)]


def test_targets_inside_references(db):
    red_cross = '<resource name="org_organisation" tuid="r"><data field="name">Red Cross</data></resource>'
    document = s3xml(
        '<resource name="pr_person" uuid="p1"><reference field="organisation_id" resource="org_organisation">'
        f"{red_cross}</reference></resource>",
        '<resource name="pr_person" uuid="p2"><reference field="organisation_id" resource="org_organisation" tuid="r">'
        f"{red_cross}</reference></resource>",
        '<resource name="pr_person" uuid="p3"><reference field="organisation_id" resource="org_organisation">'
        '<resource name="org_organisation"><data field="name">No name of its own</data></resource></reference></resource>',
        '<resource name="pr_person" uuid="p4"><reference field="orgs" resource="org_organisation">'
        '<resource name="org_organisation" uuid="o4"><data field="name">Four</data></resource>'
        '<resource name="org_organisation" uuid="o5"><data field="name">Five</data></resource></reference>'
        '<reference field="organisation_id" resource="org_organisation" uuid="o5">'
        '<resource name="org_organisation" uuid="o5"/></reference></resource>',
    )
    assert take(db, document).counts == Counts(new=8)
    names = dict(shown(db, "org_organisation", "id", "name"))
    assert sorted(names.values()) == ["Five", "Four", "No name of its own", "Red Cross"]
    assert [names.get(i) for (i,) in shown(db, "pr_person", "organisation_id")] == ["Red Cross"] * 2 + [
        "No name of its own",
        "Five",
    ]
    assert [names[i] for i in db(db.pr_person.uuid == "p4").select().first().orgs] == ["Four", "Five"]


def test_components_deep_and_by_alias(db):
    document = s3xml(
        '<resource name="pr_person" tuid="a"><data field="first_name">Anna</data>'
        '<resource name="pr_contact" uuid="c1"><data field="value">1</data></resource>'
        '<resource name="pr_contact" uuid="c2" alias="reported_by"><data field="value">2</data></resource>'
        '<resource name="pr_contact" uuid="c3"><reference field="reported_by" resource="pr_person" uuid="p9"/></resource>'
        "</resource>",
        '<resource name="pr_person" uuid="p9"/>',
    )
    assert take(db, document).counts == Counts(new=5)
    ids = dict(shown(db, "pr_person", "uuid", "id"))
    anna = db(db.pr_person.first_name == "Anna").select().first().id
    assert shown(db, "pr_contact", "uuid", "person_id", "reported_by") == [
        ("c1", anna, None), ("c2", None, anna), ("c3", None, ids["p9"])
    ]  # fmt: skip


def test_a_component_that_cannot_point_to_its_parent_is_rejected(db):
    document = s3xml(
        '<resource name="pr_contact" uuid="c1">\n<resource name="org_organisation" uuid="o1"/></resource>',
        '<resource name="org_organisation" uuid="o2"/>',
    )
    report = take(db, document, strict=False)
    assert outcomes(report) == {"pr_contact": {"new": 1}, "org_organisation": {"new": 1, "rejected": 1}}
    assert places(report.problems) == [("not_joined", "org_organisation", 4, None)]


def test_a_component_takes_over_what_both_point_to():
    with database("sqlite") as db:
        db.define_table("pr_pentity", Field("uuid", length=64))
        db.define_table("pr_person", Field("uuid", length=64), Field("pe_id", "reference pr_pentity"))
        db.define_table("pr_contact", Field("uuid", length=64), Field("pe_id", "reference pr_pentity"))
        document = s3xml(
            '<resource name="pr_pentity" uuid="e1"/>',
            '<resource name="pr_person" uuid="p1"><reference field="pe_id" resource="pr_pentity" uuid="e1"/>'
            '<resource name="pr_contact" uuid="c1"/></resource>',
        )
        assert take(db, document).counts == Counts(new=3)
        assert shown(db, "pr_contact", "pe_id") == [(1,)]


def test_deleted_records_keep_what_they_hold(db):
    db.org_organisation.insert(uuid="o1", name="Red Cross", deleted=False, modified_on=datetime(2020, 1, 1))
    document = s3xml('<resource name="org_organisation" uuid="o1" deleted="True" modified_on="2021-01-01T00:00:00"/>')
    assert take(db, document).counts == Counts(changed=1)
    assert shown(db, "org_organisation", "name", "deleted") == [("Red Cross", True)]


def test_times_with_a_zone_become_utc(db):
    times = ["2012-05-06T07:08:09Z", "2012-05-06T07:08:09.123456", "2012-05-06T07:08:09+02:00", "2012-05-06 07:08:09"]
    take(db, s3xml(*(f'<resource name="org_organisation" uuid="o{i}" created_on="{t}"/>' for i, t in enumerate(times))))
    assert [str(t) for (t,) in shown(db, "org_organisation", "created_on")][::2] == ["2012-05-06 07:08:09", "2012-05-06 05:08:09"]
    [stored] = db.executesql("SELECT created_on FROM org_organisation WHERE uuid = 'o1'")
    assert str(stored[0]) == "2012-05-06 07:08:09.123456"


def test_the_s3xrc_of_2010_is_read(db):
    document = s3xml(
        '<resource name="org_organisation" uuid="eden/1" modified_on="2010-05-06T07:08:09Z">'
        '<data field="name">Médecins &amp;amp; &amp;lt;Co&amp;gt;</data></resource>',
        root="s3xrc",
        attributes=' success="True"',
    )
    assert take(db, document).counts == Counts(new=1)
    assert shown(db, "org_organisation", "uuid", "name") == [("eden/1", "Médecins & <Co>")]


def test_uids_with_a_domain():
    here, there = Settings(domain="here.org"), Settings(domain="there.org")
    with database("sqlite") as one, database("sqlite") as two:
        offices(one)
        offices(two)
        org = one.org_organisation.insert(uuid="1", name="Own")
        urn = one.org_organisation.insert(uuid="urn:uuid:2")
        one.pr_person.insert(uuid="far.org/3", organisation_id=org, orgs=[org, urn])
        one.commit()
        data = give(one, form="s3xml", settings=here)
        assert b'<s3xml success="true" domain="here.org">' in data
        take(two, data, settings=there)
        assert shown(two, "org_organisation", "uuid") == [("here.org/1",), ("urn:uuid:2",)]
        assert shown(two, "pr_person", "uuid", "organisation_id", "orgs") == [("far.org/3", 1, [1, 2])]
        assert take(one, give(two, form="s3xml", settings=there), settings=here).counts == Counts(same=3)


def test_an_empty_element_is_an_empty_text_and_nothing_else(db):
    db.pr_person.insert(uuid="p1", first_name="Anna", height=1.5, born=date(2000, 1, 1), tags=["x"])
    empty = "".join(f'<data field="{f}"/>' for f in ("first_name", "height", "born", "tags"))
    take(db, s3xml(f'<resource name="pr_person" uuid="p1">{empty}</resource>'), "theirs")
    assert shown(db, "pr_person", "first_name", "height", "born", "tags") == [("", 1.5, date(2000, 1, 1), ["x"])]


def test_null_is_a_value_and_silence_is_none(db):
    db.pr_person.insert(uuid="p1", first_name="Anna", height=1.5, born=date(2000, 1, 1))
    take(db, s3xml('<resource name="pr_person" uuid="p1"><data field="height" null="true"/></resource>'), "theirs")
    assert shown(db, "pr_person", "first_name", "height", "born") == [("Anna", None, date(2000, 1, 1))]


@pytest.mark.parametrize(
    ("inside", "code", "column"),
    [
        ('<data field="height">tall</data>', "bad_value", "height"),
        ('<data field="first_name"><b>Anna</b></data>', "bad_value", "first_name"),
        ('<data field="first_name" value="&quot;\\ud800&quot;"/>', "bad_value", "first_name"),
        ('<data field="first_name" cell="5"/>', "bad_value", "first_name"),
        ('<data field="tags" value="[[1]]"/>', "bad_value", "tags"),
        ('<data field="colour">red</data>', "unknown_column", "colour"),
        ('<data field="picture" url="http://x/..%2f" filename="../../models/db.py"/>', "upload_name", "picture"),
        ('<reference field="organisation_id" resource="pr_contact" uuid="c1"/>', "bad_value", "organisation_id"),
        ('<reference field="organisation_id" resource="org_organisation" uuid="nobody"/>', "missing_parent", "organisation_id"),
        ('<reference field="organisation_id" resource="org_organisation" cell="[1]"/>', "bad_value", "organisation_id"),
        ('<reference field="orgs" resource="org_organisation" uuid="[1]"/>', "bad_value", "orgs"),
    ],
)
def test_what_cannot_be_taken_is_a_problem_with_its_place(db, inside, code, column):
    before = contents(db)
    document = s3xml(f'<resource name="pr_person" uuid="p1">{inside}</resource>')
    with pytest.raises(RowsRejected) as refused:
        take(db, document)
    assert places(refused.value.problems) == [(code, "pr_person", 3, column)]
    assert contents(db) == before


def test_a_password_stays_as_it_is():
    with database("sqlite") as db:
        db.define_table("site", Field("uuid", length=64), Field("name"), Field("secret", "password"))
        db.site.insert(uuid="s1", name="a", secret="ours")
        said = '<data field="name">b</data><data field="secret">theirs</data>'
        report = take(db, s3xml(f'<resource name="site" uuid="s1">{said}</resource>'), "theirs")
        assert shown(db, "site", "name", "secret") == [("b", "ours")]
        assert [w.code for w in report.warnings] == ["withheld"]
        assert b"ours" not in give(db, form="s3xml")


def test_lines_and_tables_are_found_in_long_documents(db):
    """Also beyond line 65,535, where libxml2 counts no further by itself."""
    many = [f'<resource name="org_organisation" uuid="o{i}"><data field="name">{i}</data></resource>' for i in range(66_000)]
    many.append('<resource name="org_organisation" uuid="late"><data field="created_on">never</data></resource>')
    report = import_csv(db, io.BytesIO(s3xml(*many).encode()), strict=False, dry_run=True)
    assert places(report.problems) == [("bad_value", "org_organisation", 66_003, "created_on")]
    assert report.counts == Counts(new=66_000, rejected=1)


def test_tables_may_be_renamed_and_letters_differ(db):
    document = s3xml('<resource name="ORG_AGENCY" uuid="o1"><data field="NAME">Red Cross</data></resource>')
    assert take(db, document, map_tablenames={"ORG_AGENCY": "org_organisation"}).counts == Counts(new=1)
    assert shown(db, "org_organisation", "name") == [("Red Cross",)]


def test_it_may_be_cancelled_while_records_are_put_aside(db, monkeypatch):
    monkeypatch.setattr("plugin_sync.formats.s3xml.reader.TOLD", 1)
    seen = []
    take(db, s3xml('<resource name="org_organisation" uuid="o1"/>'), progress=lambda *where: seen.append(where))
    assert seen == [("", 1), ("org_organisation", 1)]


def test_the_records_of_a_csv_and_of_its_xml_are_the_same(db):
    file = csv_file(
        ("org_organisation", "id,uuid,name,deleted", "1,o1,A,False", "2,<NULL>,B,True"),
        ("pr_person", "id,uuid,organisation_id,organisation_id.uuid", "1,p1,2,<NULL>", "2,p2,1,o1"),
    )
    take(db, file)
    with database("sqlite") as other:
        offices(other)
        take(other, give(db, form="s3xml"))
        assert records(other) == records(db)


def test_a_transform_sees_cells_and_absent_ones_stay_absent(db):
    db.org_organisation.insert(uuid="o1", name="old", acronym="kept")

    def louder(row):
        return row | {"name": row["name"].upper()}

    document = s3xml(
        '<resource name="org_organisation" uuid="o1"><data field="name">new</data></resource>',
        '<resource name="org_organisation" uuid="o2"><data field="name">x</data><data field="acronym">y</data></resource>',
    )
    take(db, document, "theirs", transform=louder)
    assert shown(db, "org_organisation", "name", "acronym") == [("NEW", "kept"), ("X", "y")]


def test_without_lxml_it_says_what_to_install(db, monkeypatch):
    monkeypatch.setattr(parser, "etree", None)
    with pytest.raises(SettingsError, match=r"pip install lxml"):
        take(db, s3xml())


def test_tuids_that_are_no_numbers_become_some():
    numbers = Records({}, "", Spool())
    found = [numbers.number(t) for t in ("7", "07", "a", "b", "9" * 19, None, None)]
    assert found[0] == "7"
    assert len(set(found)) == len(found)
    assert all(len(n) == 18 for n in found[1:])


def test_a_document_that_is_other_xml_is_named(db):
    with pytest.raises(FileFormatError, match="the XML is not S3XML: it begins with <osm>"):
        take(db, "<osm><node/></osm>")


STREAM = """
import resource, sys, uuid
sys.path[:0] = {paths!r}
from pydal import DAL, Field
from plugin_sync import export_file, import_csv
def office(name):
    db = DAL(f"sqlite://{{name}}.sqlite", folder={folder!r})
    db.define_table("org", Field("uuid", length=64), Field("name"), Field("note", "text"), Field("up", "reference org"))
    return db
source, target = office("source"), office("target")
rows = ((i, str(uuid.UUID(int=i)), f"Office {{i}}", "x" * 300, i // 2 or None) for i in range(1, {rows} + 1))
source._adapter.connection.executemany("INSERT INTO org (id, uuid, name, note, up) VALUES (?, ?, ?, ?, ?)", rows)
source.commit()
with open({file!r}, "wb") as file:
    export_file(source, file, "s3xml", tables=[])
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open({file!r}, "wb") as file:
    assert export_file(source, file, "s3xml").total == {rows}
with open({file!r}, "rb") as file:
    assert import_csv(target, file).counts.new == {rows}
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024)
"""


def test_a_long_document_is_never_in_memory(tmp_path):
    """60,000 records, 28 MB of XML, within the 64 MB that any number of them may take."""
    file = tmp_path / "long.xml"
    code = STREAM.format(paths=sys.path, folder=str(tmp_path), file=str(file), rows=60_000)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert file.stat().st_size > 25 << 20
    assert int(done.stdout) < 64
