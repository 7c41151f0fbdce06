"""The host on every database: the first start makes tables and data, and later ones find them."""

import pytest
from pydal import DAL

from ..engine.databases import database_uri


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
def test_the_first_start(start_office, tmp_path, engine):
    with database_uri(engine) as uri:
        office = start_office(f"on-{engine}", demo="jacmel", DATABASE_URI=uri)
        try:
            client = office.administrator()
            assert "Records 1 to 50 of" in client.get("/sync/default/records/hrm_staff").text
            page = client.get("/sync/appadmin/insert/db/hrm_skill")
            fields = {name: page.hidden(name) for name in ("_formkey", "_formname")}
            assert "new record inserted" in client.post("/sync/appadmin/insert/db/hrm_skill", fields | {"name": "Later"}).text
            assert office.tickets() == []
        finally:
            office.stop()
        db = DAL(uri, folder=str(tmp_path), pool_size=0, attempts=1, migrate_enabled=False)
        try:
            db.define_table("hrm_skill", migrate=False)
            assert db(db.hrm_skill).count() == 25
            orphans = "SELECT count(*) FROM org_organisation o LEFT JOIN pr_person p ON p.id = o.contact_id"
            assert db.executesql(f"{orphans} WHERE o.contact_id IS NOT NULL AND p.id IS NULL")[0][0] == 0
            assert db.executesql("SELECT count(contact_id) FROM org_organisation")[0][0] > 100
        finally:
            db.rollback()
            db.close()
