"""Invented organisations, offices, persons, groups and staff, at real places."""

import unicodedata
from datetime import date, timedelta

from .records import Record, Ref, Universe, random_for, revise

SECTORS = ("Health", "Shelter", "Water and sanitation", "Food security", "Logistics", "Education", "Protection")
KINDS = ("Relief", "Aid Network", "Red Cross", "Development Fund", "Rescue Team", "Medical Mission", "Foundation")
FIRST = {
    "female": "Marie Rose Ana Guerda Nadège Fatima Aïcha Yuki Mei Priya Olga Łucja Zoë Ingrid Chloé Amara Leila Sofía "
    "Ngozi Thị 静香 Ελένη Наталья מרים فاطمة Siobhán Þóra Ayşe Dominique Mirlande".split(),
    "male": "Jean Pierre Carlos José Wilner Emmanuel Ahmed Omar Kenji Wei Arjun Igor Stanisław Björn Luís Kwame Tariq "
    "Đức 健太 Νίκος Сергей דוד محمد Séamus Jürgen Çağan Frantz Réginald".split(),
}
LAST = (
    "Baptiste Joseph Desrosiers Étienne Pierre-Louis García Hernández López Muñoz Silva Okafor Mensah Diallo Traoré "
    "Haddad Khan Nguyễn Tanaka 田中 Wang 李 Sharma Patel Ivanova Петров Kowalski Nowák Müller Jørgensen Ångström O'Brien "
    "Papadopoulos Yılmaz Cohen حداد Smith Jones Dubois Lefèvre Rossi de\u00a0Souza van\u00a0Dijk Ñáñez Gonçalves"
).split(" ")
SKILLS = {
    "Health": ("First aid", "Nursing", "Surgery", "Epidemiology", "Mental health support"),
    "Language": ("French", "Haitian Creole", "Spanish", "English", "Arabic", "Portuguese"),
    "Technical": ("Driving", "Lorry driving", "Radio operation", "Water engineering", "Carpentry", "Electrics", "Welding"),
    "Office": ("Accounting", "Data entry", "Procurement", "Warehouse management", "Translation", "Mapping"),
}
JOBS = ("Nurse", "Driver", "Logistician", "Coordinator", "Field officer", "Engineer", "Accountant", "Cook", "Guard")
ORGANISATIONS, OFFICES, PERSONS, GROUPS = 420, 1_300, 15_000, 1_500
OWN_OF_JACMEL = 12  # one in so many of these records was made in Jacmel


def add_organisations(universe: Universe, towns: list[Record]) -> None:
    """Add organisations, each named after the place it comes from."""
    random = random_for("org_organisation")
    for number in range(ORGANISATIONS):
        town = towns[number * 7 % len(towns)]
        name = f"{town.values['name']} {KINDS[number % len(KINDS)]}"
        jacmel = number % OWN_OF_JACMEL == 5
        record = universe.add(
            "org_organisation", str(number), "jacmel" if jacmel else "main", town.regional,
            name=f"{name} {number}" if number % 5 else f"{name}, Section {number}",
            acronym="".join(word[0] for word in name.split())[:8].upper(), sector=random.choice(SECTORS),
            website=f"https://org{number}.example.org/" if number % 3 else None,
            founded_on=date(1890, 1, 1) + timedelta(days=random.randrange(46_000)),
            annual_budget=f"{random.randrange(10_000, 90_000_000)}.{random.randrange(100):02}", contact_id=None,
        )  # fmt: skip
        if number % 9 == 0 and not jacmel:
            revise(record, sector=SECTORS[(SECTORS.index(record.values["sector"]) + 1) % len(SECTORS)])


def add_offices(universe: Universe, towns: list[Record]) -> None:
    """Add the organisations' offices, half of them around Jacmel."""
    random = random_for("org_office")
    organisations = universe.table("org_organisation")
    near = [town for town in towns if town.regional]
    for number in range(OFFICES):
        town = random.choice(near if number % 2 else towns)
        organisation = organisations[number % len(organisations)]
        jacmel = town.regional and number % OWN_OF_JACMEL == 1
        record = universe.add(
            "org_office", str(number), "jacmel" if jacmel else "main", town.regional,
            name=f"{organisation.values['acronym']} {town.values['name']}", code=f"{number:05}",
            organisation_id=organisation.ref, location_id=town.ref, phone=f"+{random.randrange(10**9, 10**11)}",
            opens_at=f"{random.randint(6, 9):02}:{random.choice((0, 30)):02}:00", closes_at="17:00:00",
            comments=random.choice((None, None, "Ring twice.\nThe gate is at the back.", "Closed on Fridays, \"usually\"")),
        )  # fmt: skip
        if number % 7 == 0 and not jacmel:
            revise(record, closes_at="18:30:00", phone=f"+{random.randrange(10**9, 10**11)}")


def add_persons(universe: Universe, towns: list[Record]) -> None:
    """Add persons, and make some of them the contacts of their organisations."""
    random = random_for("pr_person")
    organisations = universe.table("org_organisation")
    near = [town for town in towns if town.regional]
    for number in range(PERSONS):
        town = random.choice(near if number % 3 == 0 else towns)
        gender = random.choice(("female", "male"))
        first, last = random.choice(FIRST[gender]), random.choice(LAST).replace("\u00a0", " ")
        organisation = organisations[random.randrange(len(organisations))] if number % 4 else None
        jacmel = town.regional and number % OWN_OF_JACMEL == 0
        record = universe.add(
            "pr_person", str(number), "jacmel" if jacmel else "main", town.regional, first_name=first, last_name=last,
            gender=gender if number % 50 else None,
            date_of_birth=date(1940, 1, 1) + timedelta(days=random.randrange(24_000)) if number % 8 else None,
            email=f"{plain(first)}.{plain(last)}.{number}@example.org",
            organisation_id=organisation.ref if organisation else None, location_id=town.ref,
            comments=random.choice((None, None, None, "", "Speaks three languages; prefers calls.", "<b>VIP</b> & friend")),
        )  # fmt: skip
        if number % 11 == 0 and not jacmel:
            revise(record, last_name=f"{last}-{random.choice(LAST[:20])}")
        if organisation and not organisation.values["contact_id"] and organisation.author == record.author:
            organisation.values["contact_id"] = record.ref


def plain(text: str) -> str:
    """The part of a name that can stand in an address."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalnum()) or "x"


def add_groups(universe: Universe) -> None:
    """Add families, teams and committees, and who belongs to them."""
    random = random_for("pr_group")
    persons = universe.table("pr_person")
    for number in range(GROUPS):
        start = number * 9 % (len(persons) - 10)
        members = persons[start : start + random.randint(2, 7)]
        kind = ("family", "team", "committee")[number % 3]
        author, regional = members[0].author, any(person.regional for person in members)
        group = universe.add(
            "pr_group", str(number), author, regional, name=f"{members[0].values['last_name']} {kind} {number}",
            group_type=kind, description=None if number % 2 else f"Meets in {number % 28 + 1} places",
        )  # fmt: skip
        for place, person in enumerate(members):
            universe.add(
                "pr_group_membership", f"{number}/{place}", author, regional, group_id=group.ref, person_id=person.ref,
                group_head=place == 0, joined_on=date(2020, 1, 1) + timedelta(days=random.randrange(2_000)),
            )  # fmt: skip


def add_staff(universe: Universe) -> None:
    """Add skills, and staff who have some of them."""
    for category, names in SKILLS.items():
        for name in names:
            universe.add("hrm_skill", name, regional=True, name=name, category=category)
    random = random_for("hrm_staff")
    skills = [Ref("hrm_skill", name) for names in SKILLS.values() for name in names]
    offices = universe.table("org_office")
    for number, person in enumerate(universe.table("pr_person")[::4]):
        office = random.choice(offices)
        author = "jacmel" if "jacmel" in (person.author, office.author) else "main"
        start = date(2019, 1, 1) + timedelta(days=random.randrange(2_300))
        record = universe.add(
            "hrm_staff", str(number), author, office.regional, person_id=person.ref, office_id=office.ref,
            job_title=random.choice(JOBS), skills=random.sample(skills, random.randrange(5)), start_date=start,
            end_date=start + timedelta(days=random.randrange(30, 900)) if number % 5 == 0 else None,
            shift_starts_at=f"{random.choice((6, 8, 14, 22)):02}:{random.choice((0, 15, 30)):02}:00",
            salary=f"{random.randrange(300, 9_000)}.{random.choice(('00', '50', '75'))}",
        )  # fmt: skip
        if number % 10 == 0 and author == "main":
            revise(record, skills=sorted({*record.values["skills"], skills[0]}), job_title="Team leader")
