"""Shelters (cr), staff (hrm) and supplies."""

db.define_table(
    "cr_shelter",
    named("name"),
    linked("location_id", "gis_location", choose=False, label=T("Location")),
    linked("organisation_id", "org_organisation", label=T("Run by")),
    Field("status", length=16, requires=IS_IN_SET(["planned", "open", "closed"]), label=T("Status")),
    Field("capacity", "integer", label=T("Capacity")),
    Field("population", "integer", label=T("Population")),
    Field("daily_cost", "decimal(10,2)", label=T("Daily cost")),
    Field("opened_on", "datetime", label=T("Opened on")),
    Field("facilities", "json", label=T("Facilities")),
    record_fields,
    format="%(name)s",
    singular=T("Shelter"),
    plural=T("Shelters"),
)

db.define_table(
    "hrm_skill",
    named("name"),
    Field("category", length=32, label=T("Category")),
    record_fields,
    format="%(name)s",
    singular=T("Skill"),
    plural=T("Skills"),
)
db.define_table(
    "hrm_staff",
    linked("person_id", "pr_person", choose=False, label=T("Person")),
    linked("office_id", "org_office", choose=False, label=T("Office")),
    Field("job_title", length=64, label=T("Job title")),
    Field(
        "skills", "list:reference hrm_skill", requires=IS_IN_DB(db, "hrm_skill.id", "%(name)s", multiple=True), label=T("Skills")
    ),
    Field("start_date", "date", label=T("Start date")),
    Field("end_date", "date", label=T("End date")),
    Field("shift_starts_at", "time", label=T("Shift starts at")),
    Field("salary", "decimal(10,2)", label=T("Salary")),
    record_fields,
    singular=T("Staff member"),
    plural=T("Staff members"),
)

db.define_table(
    "supply_catalog",
    named("name"),
    linked("organisation_id", "org_organisation", label=T("Organisation")),
    Field("comments", "text", label=T("Comments")),
    record_fields,
    format="%(name)s",
    singular=T("Catalogue"),
    plural=T("Catalogues"),
)
db.define_table(
    "supply_item",
    named("name"),
    linked("catalog_id", "supply_catalog", ondelete="RESTRICT", label=T("Catalogue")),
    Field("code", length=32, label=T("Code")),
    Field("unit", length=16, label=T("Unit")),
    Field("unit_price", "decimal(12,4)", label=T("Unit price")),
    Field("weight_kg", "double", label=T("Weight (kg)")),
    Field("expires_on", "date", label=T("Expires on")),
    Field("details", "json", label=T("Details")),
    Field("label_image", "blob", label=T("Label"), readable=False, writable=False),
    record_fields,
    format="%(name)s",
    singular=T("Item"),
    plural=T("Items"),
)
