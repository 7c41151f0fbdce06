"""Persons and the groups they belong to."""

db.define_table(
    "pr_person",
    Field("first_name", length=64, notnull=True, requires=IS_NOT_EMPTY(), label=T("First name")),
    Field("last_name", length=64, label=T("Last name")),
    Field("gender", length=8, requires=IS_EMPTY_OR(IS_IN_SET(["female", "male", "other"])), label=T("Gender")),
    Field("date_of_birth", "date", label=T("Date of birth")),
    Field("email", length=128, requires=IS_EMPTY_OR(IS_EMAIL()), label=T("E-mail address")),
    linked("organisation_id", "org_organisation", label=T("Organisation")),
    linked("location_id", "gis_location", choose=False, label=T("Lives in")),
    Field("comments", "text", label=T("Comments")),
    record_fields,
    format="%(first_name)s %(last_name)s",
    singular=T("Person"),
    plural=T("People"),
)
db.define_table(
    "pr_group",
    named("name"),
    Field("group_type", length=32, requires=IS_IN_SET(["family", "team", "committee"]), label=T("Group type")),
    Field("description", "text", label=T("Description")),
    record_fields,
    format="%(name)s",
    singular=T("Group"),
    plural=T("Groups"),
)
db.define_table(
    "pr_group_membership",
    linked("group_id", "pr_group", ondelete="CASCADE", label=T("Group")),
    linked("person_id", "pr_person", choose=False, ondelete="CASCADE", label=T("Person")),
    Field("group_head", "boolean", default=False, label=T("Group head")),
    Field("joined_on", "date", label=T("Joined on")),
    record_fields,
    singular=T("Group membership"),
    plural=T("Group memberships"),
)

if first_start_due:
    define_organisation(with_contact=True, redefine=True)
