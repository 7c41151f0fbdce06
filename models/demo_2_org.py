"""Organisations and their offices.

An organisation names a contact, a person, and persons belong to organisations. A column can only refer to a table that
exists, so where tables are made the contact is added once pr_person is there, at the end of demo_3_pr.py.
"""

from pathlib import Path


def define_organisation(with_contact, **settings):
    """Define the table, with or without the field that needs pr_person."""
    contact = linked("contact_id", "pr_person", choose=False, label=T("Contact person"))
    return db.define_table(
        "org_organisation",
        named("name"),
        Field("acronym", length=16, label=T("Acronym")),
        Field("sector", length=64, label=T("Sector")),
        Field("website", length=255, requires=IS_EMPTY_OR(IS_URL()), label=T("Website")),
        Field("founded_on", "date", label=T("Founded on")),
        Field("annual_budget", "decimal(15,2)", label=T("Annual budget")),
        *([contact] if with_contact else []),
        record_fields,
        format="%(name)s",
        singular=T("Organisation"),
        plural=T("Organisations"),
        **settings,
    )


organisation_is_made = Path(request.folder, "databases", f"{db._uri_hash}_org_organisation.table").exists()
if first_start_due:
    define_organisation(with_contact=False, migrate=not organisation_is_made)
else:
    define_organisation(with_contact=True)

db.define_table(
    "org_office",
    named("name"),
    Field("code", length=16, label=T("Code")),
    linked("organisation_id", "org_organisation", label=T("Organisation")),
    linked("location_id", "gis_location", choose=False, label=T("Location")),
    Field("phone", length=32, label=T("Telephone")),
    Field("opens_at", "time", label=T("Opens at")),
    Field("closes_at", "time", label=T("Closes at")),
    Field("comments", "text", label=T("Comments")),
    record_fields,
    format="%(name)s",
    singular=T("Office"),
    plural=T("Offices"),
)
