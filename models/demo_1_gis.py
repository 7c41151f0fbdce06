"""Places, and the map layers and settings that show them."""

db.define_table(
    "gis_location",
    named("name"),
    Field(
        "level",
        length=2,
        requires=IS_IN_SET(["W", "L0", "L1", "L2", "L3"]),
        comment=T("W is the world, L0 a country"),
        label=T("Level"),
    ),
    Field("code", length=16, comment=T("ISO code of a country, administrative code below"), label=T("Code")),
    linked("parent", "gis_location", choose=False, label=T("Part of")),
    Field("lat", "double", label=T("Latitude"), requires=IS_EMPTY_OR(IS_FLOAT_IN_RANGE(-90, 90))),
    Field("lon", "double", label=T("Longitude"), requires=IS_EMPTY_OR(IS_FLOAT_IN_RANGE(-180, 180))),
    Field("population", "bigint", label=T("Population")),
    Field("tags", "json", comment=T("Time zone, currency and the like"), label=T("Tags")),
    record_fields,
    format="%(name)s",
    singular=T("Place"),
    plural=T("Places"),
)

# Lookup lists: the same at every office, so they are not exchanged.
for layer, service in (("gis_layer_openstreetmap", "OpenStreetMap"), ("gis_layer_google", "Google")):
    db.define_table(
        layer,
        named("name"),
        Field("subtype", length=32, label=T("Kind")),
        Field("url", length=255, requires=IS_EMPTY_OR(IS_URL()), label=T("Web address")),
        Field("enabled", "boolean", default=True, label=T("Enabled")),
        record_fields,
        format="%(name)s",
        singular=T("Map layer (%s)", service),
        plural=T("Map layers (%s)", service),
    )

db.define_table(
    "gis_layer_wms",
    named("name"),
    Field("url", length=255, label=T("Address of the service"), requires=IS_URL()),
    Field("layers", "list:string", label=T("Layers")),
    Field("opacity", "decimal(3,2)", default=1, requires=IS_DECIMAL_IN_RANGE(0, 1), label=T("Opacity")),
    Field("enabled", "boolean", default=True, label=T("Enabled")),
    record_fields,
    format="%(name)s",
    singular=T("Map layer (WMS)"),
    plural=T("Map layers (WMS)"),
)
db.define_table(
    "gis_layer_sos",
    named("name"),
    Field("url", length=255, label=T("Address of the service"), requires=IS_URL()),
    Field("offering", length=128, label=T("Offering")),
    Field("refresh_s", "integer", label=T("Refreshed every (seconds)")),
    Field("enabled", "boolean", default=True, label=T("Enabled")),
    record_fields,
    format="%(name)s",
    singular=T("Sensor layer (SOS)"),
    plural=T("Sensor layers (SOS)"),
)
db.define_table(
    "gis_layer_shapefile",
    named("name"),
    Field("shapefile", "upload", label=T("File")),
    Field("projection", "integer", default=4326, label=T("EPSG code of the projection")),
    record_fields,
    format="%(name)s",
    singular=T("Shapefile layer"),
    plural=T("Shapefile layers"),
)

# Settings of this office: where its map opens, and the keys it was given for map services.
db.define_table(
    "gis_config",
    named("name"),
    Field("lat", "double", label=T("Latitude")),
    Field("lon", "double", label=T("Longitude")),
    Field("zoom", "integer", requires=IS_EMPTY_OR(IS_INT_IN_RANGE(0, 23)), label=T("Zoom")),
    linked("default_location_id", "gis_location", choose=False, label=T("Home location")),
    record_fields,
    format="%(name)s",
    singular=T("Map setting"),
    plural=T("Map settings"),
)
db.define_table(
    "gis_apikey",
    named("name", label=T("Service")),
    Field("apikey", length=128, label=T("Key")),
    record_fields,
    format="%(name)s",
    singular=T("Key for a map service"),
    plural=T("Keys for map services"),
)
