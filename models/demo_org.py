"""Organisations and their offices."""

db.define_table(
    "org_organisation",
    Field("name", length=128, notnull=True, requires=IS_NOT_EMPTY()),
    Field("acronym", length=16),
    record_fields,
    format="%(name)s",
)
db.define_table(
    "org_office",
    Field("name", length=128, notnull=True, requires=IS_NOT_EMPTY()),
    Field("organisation_id", "reference org_organisation", ondelete="SET NULL", label=T("Organisation")),
    record_fields,
    format="%(name)s",
)
