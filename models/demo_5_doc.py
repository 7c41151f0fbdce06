"""Documents and images, and the settings of the system."""

db.define_table(
    "doc_document",
    named("name"),
    Field("file", "upload", label=T("File")),
    linked("organisation_id", "org_organisation", label=T("Organisation")),
    Field("dated", "date", label=T("Date")),
    Field("comments", "text", label=T("Comments")),
    record_fields,
    format="%(name)s",
    singular=T("Document"),
    plural=T("Documents"),
)
db.define_table(
    "doc_image",
    named("name"),
    Field("image", "upload", label=T("File")),
    linked("location_id", "gis_location", choose=False, label=T("Location")),
    linked("person_id", "pr_person", choose=False, label=T("Taken by")),
    Field("taken_on", "datetime", label=T("Taken on")),
    record_fields,
    format="%(name)s",
    singular=T("Image"),
    plural=T("Images"),
)

# A setting of this office: not exchanged.
db.define_table(
    "system_config",
    named("name"),
    Field("setting", "text", label=T("Value")),
    record_fields,
    format="%(name)s",
    singular=T("System setting"),
    plural=T("System settings"),
)
