"""Records that look alike are read at once: what comes of them is what reading child by child gives."""

import io

import pytest

from plugin_sync.formats.contract import Reading
from plugin_sync.formats.s3xml import S3xmlReader, patterns
from plugin_sync.formats.s3xml.rows import Row as row_of
from plugin_sync.records import FieldSpec, Identity, TableSpec
from plugin_sync.values import NULL

KINDS = {"name": "string", "number": "integer", "active": "boolean", "seen": "datetime", "modified_on": "datetime"}
UUID = FieldSpec("uuid", "uuid", "string")
DATA = tuple(FieldSpec(name, name, kind) for name, kind in KINDS.items())
REFERENCE = FieldSpec("org_id", "org_id", "reference", target="org")
ORG = TableSpec("org", "org", "org", (UUID, DATA[0]), Identity.UUID, uuid_name="uuid")
PERSON = TableSpec("person", "person", "person", (UUID, *DATA, REFERENCE), Identity.UUID, uuid_name="uuid")
USUAL = (
    '<data field="name">Ana</data><data field="number" value="7"/><data field="active" value="true"/>'
    '<data field="seen" value="2024-01-02T03:04:05"/><reference field="org_id" resource="org" uuid="o1"/>'
)
ODD = (
    "",
    USUAL,
    USUAL.replace("Ana", "&lt;NULL&gt; &amp;amp; &quot;b&quot;&#13;&#9;"),
    USUAL.replace("Ana", '<![CDATA[<data field="number" value="9"/>]]>'),
    USUAL.replace("Ana", "<!-- said -->Ana<?and more?>"),
    USUAL.replace(">Ana<", ' value="&quot;a\\u0041&#10;&quot;">Ana<'),
    USUAL.replace(">Ana<", ' null="true">Ana<'),
    USUAL.replace("Ana", "<b>Ana</b>"),
    USUAL.replace("Ana", ""),
    USUAL.replace("Ana", "&lt;NULL&gt;"),
    USUAL.replace('value="7"', 'null="true"'),
    USUAL.replace('value="7"', 'value=""'),
    USUAL.replace('value="7"', 'value="null"'),
    USUAL.replace('value="7"', 'value="&quot;8&quot;"'),
    USUAL.replace('value="7"/>', ">9</data>"),
    USUAL.replace('value="7"/>', 'value="9">nine</data>'),
    USUAL.replace('value="7"', "value='&quot;\\ud800&quot;'"),
    USUAL.replace("Ana</data>", "\U0001f600</data>\n  "),
    USUAL.replace('value="true"', 'value="&quot;yes&quot;"'),
    USUAL.replace("T03", " 03"),
    USUAL.replace(' value="2024-01-02T03:04:05"/>', ">v2024-01-0T2T03</data>"),
    USUAL.replace('uuid="o1"', 'null="true"'),
    USUAL.replace('uuid="o1"', 'tuid="4"'),
    USUAL.replace('uuid="o1"', 'uuid="here/o&amp;1"'),
    USUAL.replace('uuid="o1"/>', 'uuid="o1">Office</reference>'),
    USUAL + '<data field="name">twice</data>',
    USUAL + '<data field="unknown">x</data>',
    '<data field="number" value="1"/><data field="name">other order</data>',
)
NAMES = ('uuid="p{}"', 'tuid="{}"', 'uuid="here/p{}" modified_on="2024-05-06T07:08:09"', 'uuid=" " url="x{}" modified_on=""', "")


def resource(number, inside):
    """Return a record; how it is called changes from one to the next."""
    return f'<resource name="person" {NAMES[number % len(NAMES)].format(number)}>{inside}</resource>\n'


def document(*inside):
    return f"<s3xml>\n{''.join(resource(n, text) for n, text in enumerate(inside))}</s3xml>\n".encode()


def read(data):
    """Return all that a document says."""
    reading = Reading(specs={"org": ORG, "person": PERSON}, domain="here")
    reader = S3xmlReader(io.BytesIO(data), reading)
    found = []
    for section in reader.sections():
        rows = [row for batch in section.batches for row in rows_of(batch)]
        found.append((section.table, section.header, section.line, rows))
    return found


def rows_of(batch):
    for index, (row, line) in enumerate(zip(batch.rows, batch.lines, strict=True)):
        yield line, row, batch.absent.get(index), batch.refused.get(index)


@pytest.mark.parametrize("inside", ODD, ids=range(len(ODD)))
def test_a_record_says_the_same_after_records_that_look_alike(monkeypatch, inside):
    data = document(*[USUAL] * 6, *[inside] * 5, USUAL, inside, USUAL)
    quick = read(data)
    monkeypatch.setattr(patterns, "MAX_LEARNED", 0)
    assert quick == read(data)


def test_all_of_them_together_keep_their_order_and_lines(monkeypatch):
    data = document(*ODD, *reversed(ODD), *[text for text in ODD for _ in NAMES])
    quick = read(data)
    monkeypatch.setattr(patterns, "MAX_LEARNED", 0)
    assert quick == read(data)
    assert len(quick[0][3]) == len(ODD) * (2 + len(NAMES))


def test_records_that_look_alike_are_not_read_child_by_child(monkeypatch):
    started = []
    monkeypatch.setattr("plugin_sync.formats.s3xml.records.Row", lambda *a: started.append(a) or row_of(*a))

    ((_, header, _, rows),) = read(document(*[USUAL] * 50))
    assert len(started) == 10 + 3  # those with an empty attribute, and one for each other way in which records are called
    assert len(rows) == 50
    assert rows[10][1][header.index("person.org_id.uuid")] == "o1"
    assert rows[10][1][header.index("person.id")] == NULL
