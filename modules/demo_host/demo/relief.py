"""Invented shelters, supplies, documents and images, at real places."""

import base64
from datetime import date, datetime, timedelta

from . import files
from .records import Record, Universe, random_for, revise

SHELTERS, CATALOGUES, ITEMS = 1_600, 12, 3_200
PRODUCTS = (
    ("Blanket, wool", "piece"), ("Tarpaulin 4 × 6 m", "piece"), ("Jerrycan 20 l", "piece"), ("Rice", "kg"),
    ("Beans, black", "kg"), ("Vegetable oil", "l"), ("Water purification tablets", "box"), ("Bandage, sterile", "box"),
    ("Paracetamol 500 mg", "box"), ("Oral rehydration salts", "sachet"), ("Torch, solar", "piece"), ("Soap", "piece"),
    ("Cooking set", "set"), ("Mosquito net", "piece"), ("Nails, 80 mm", "kg"), ("Rope, 10 m", "piece"),
)  # fmt: skip
KINDS = ("School", "Church", "Stadium", "Camp", "Community centre", "Sports hall")


def add_shelters(universe: Universe, towns: list[Record]) -> None:
    """Add shelters: many around Jacmel, and those that main revised are the ones people argue about."""
    random = random_for("cr_shelter")
    organisations = universe.table("org_organisation")
    near = [town for town in towns if town.regional]
    for number in range(SHELTERS):
        town = random.choice(near if number % 2 else towns)
        jacmel = town.regional and number % 8 == 1
        capacity = random.randrange(40, 4_000)
        record = universe.add(
            "cr_shelter", str(number), "jacmel" if jacmel else "main", town.regional,
            name=f"{KINDS[number % len(KINDS)]} {town.values['name']} {number}", location_id=town.ref,
            organisation_id=random.choice(organisations).ref if number % 6 else None,
            status=random.choice(("planned", "open", "open", "closed")), capacity=capacity,
            population=random.randrange(capacity), daily_cost=f"{random.randrange(20, 9_000)}.{random.randrange(100):02}",
            opened_on=datetime(2024, 1, 1, 6) + timedelta(minutes=random.randrange(900_000)),
            facilities={"water": random.random() < 0.8, "toilets": random.randrange(40), "power": [None, "grid", "solar"][
                number % 3], "notes": "Cuisine à côté"} if number % 4 else None,
        )  # fmt: skip
        if number % 5 == 0 and not jacmel:
            revise(record, population=random.randrange(capacity), status="closed" if number % 2 else "open")


def add_supplies(universe: Universe) -> None:
    """Add catalogues and their items; some items carry a printed label, as a blob."""
    random = random_for("supply_item")
    organisations = universe.table("org_organisation")
    for number in range(CATALOGUES):
        universe.add(
            "supply_catalog", str(number), "jacmel" if number == 7 else "main", number % 3 == 1,
            name=f"Catalogue {2020 + number}", organisation_id=organisations[number * 3].ref, comments=None,
        )  # fmt: skip
    catalogues = universe.table("supply_catalog")
    for number in range(ITEMS):
        product, unit = PRODUCTS[number % len(PRODUCTS)]
        catalogue = catalogues[number % len(catalogues)]
        label = base64.b64encode(files.png(8, 8, number)).decode("ascii") if number % 20 == 0 else None
        record = universe.add(
            "supply_item", str(number), catalogue.author, catalogue.regional, name=f"{product} ({number})",
            catalog_id=catalogue.ref, code=f"{number:08}", unit=unit, label_image=label,
            unit_price=f"{random.randrange(0, 300)}.{random.randrange(10_000):04}",
            weight_kg=random.randrange(1, 40_000) / 1_000 if number % 3 else None,
            expires_on=date(2027, 1, 1) + timedelta(days=random.randrange(1_500)) if unit in ("kg", "l", "box") else None,
            details={"colour": random.choice(("grey", "blue", None)), "per_pallet": random.randrange(1, 900)}
            if number % 2 else None,
        )  # fmt: skip
        if number % 13 == 0 and record.author == "main":
            revise(record, unit_price=f"{random.randrange(0, 300)}.{random.randrange(10_000):04}")


def add_documents(universe: Universe, towns: list[Record]) -> None:
    """Add documents, images and map layers that each have a small uploaded file."""
    organisations = universe.table("org_organisation")
    persons = universe.table("pr_person")
    near = [town for town in towns if town.regional]
    for number in range(18):
        organisation = organisations[number * 5]
        universe.add(
            "doc_document", str(number), organisation.author, organisation.regional or number % 2 == 0,
            name=f"Situation report {number + 1}", dated=date(2026, 1, 5) + timedelta(days=7 * number), comments=None,
            organisation_id=organisation.ref,
            file=files.Upload(f"Rapport de situation n° {number + 1}.txt", files.report(number, organisation.values["name"])),
        )  # fmt: skip
    for number in range(12):
        town = (near if number % 2 else towns)[number * 11]
        universe.add(
            "doc_image", str(number), town.author, town.regional, name=f"View of {town.values['name']}",
            location_id=town.ref, person_id=persons[number * 17].ref, taken_on=datetime(2026, 3, 1, 9 + number, 15, number),
            image=files.Upload(f"view_{number}.png", files.png(48, 32, number)),
        )  # fmt: skip
    for number, iso in enumerate(("HT", "DO", "CU", "JM")):
        points = [town for town in near if str(town.values["parent"].key).startswith(f"region {iso}.")]
        universe.add(
            "gis_layer_shapefile", iso, "jacmel" if iso == "HT" else "main", number < 2, name=f"Towns of {iso}",
            projection=4326,
            shapefile=files.Upload(f"towns_{iso}.geojson", files.geojson([town.values for town in points])),
        )  # fmt: skip
