"""The plugin's pages as a person without JavaScript uses them, and what the offices' databases then hold."""

import json
import re
import sqlite3
import time
from html import unescape

from ..offices import Answer, Client, Office

PLUGIN = "/sync/plugin_sync/"
NOT_EXCHANGED = {
    "gis_layer_openstreetmap",
    "gis_layer_google",
    "gis_config",
    "gis_apikey",
    "system_config",
    "sync_instance",
    "plugin_sync_alias",
    "plugin_sync_job",
}
LISTS = {("hrm_staff", "skills"): "hrm_skill"}
UPLOADS = {"file", "image", "shapefile"}
OUTCOMES = ("new", "changed", "same", "older", "conflict", "rejected")


def text_of(answer: Answer) -> str:
    """The words of a page, without its tags."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


def heading(answer: Answer) -> str:
    return unescape(re.sub(r"<[^>]+>", "", re.search(r"<h1[^>]*>(.*?)</h1>", answer.text, re.DOTALL)[1])).strip()


def counts(answer: Answer) -> dict[str, dict[str, int]]:
    """The table of counts of a check or result page, by the name of the table."""
    rows = re.findall(r'<tr><th scope="row" title="([^"]+)">.*?</th>(.*?)</tr>', answer.text, re.DOTALL)
    numbers = {name: [int(n.replace(",", "")) for n in re.findall(r">([\d,]+)</td>", cells)] for name, cells in rows}
    return {name: dict(zip(OUTCOMES, found, strict=True)) for name, found in numbers.items()}


def together(answer: Answer) -> dict[str, int]:
    return {outcome: sum(table[outcome] for table in counts(answer).values()) for outcome in OUTCOMES}


def export(client: Client, **choice: object) -> bytes:
    query = "&".join(f"{name}={v}" for name, value in choice.items() for v in (value if isinstance(value, list) else [value]))
    answer = client.get(f"{PLUGIN}export_file?{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8"), answer.url
    return answer.body


def key_of(answer: Answer) -> dict[str, str]:
    return {name: answer.hidden(name) for name in ("_formkey", "_formname")}


def upload(client: Client, data: bytes, policy: str = "newer", name: str = "data.csv") -> Answer:
    """Send a file through the import page; return the page that follows."""
    fields = key_of(client.get(f"{PLUGIN}import_file")) | {"policy": policy}
    return follow(client, client.post(f"{PLUGIN}import_file", fields, {"file": (name, data)}))


def follow(client: Client, answer: Answer, limit_s: float = 120) -> Answer:
    """Press "Update" on the progress page until it leads on."""
    until = time.monotonic() + limit_s
    while "/progress/" in answer.url:
        assert time.monotonic() < until, text_of(answer)
        time.sleep(0.1)
        answer = client.get(answer.url)
    return answer


def apply(client: Client, check: Answer) -> Answer:
    """Press the button of a check page; return the result page."""
    action = re.search(r'action="([^"]+/apply/[^"]+)"', check.text)
    assert action, text_of(check)
    return follow(client, client.post(unescape(action[1]), key_of(check)))


def send(client: Client, data: bytes, policy: str = "newer") -> tuple[Answer, Answer]:
    """Import a file; return the check page and the result page."""
    check = upload(client, data, policy)
    return check, apply(client, check)


def settle(office: Office, line: str) -> None:
    """Set something in a model of the office's own, as its host would."""
    models = office.app / "models"
    shipped = models.resolve()
    models.unlink()
    models.mkdir()
    for path in shipped.glob("*.py"):
        (models / path.name).symlink_to(path)
    (models / "demo_9_settled.py").write_text(f"{line}\n", encoding="utf-8")


def records(office: Office) -> dict[str, dict[str, dict[str, object]]]:
    """All exchanged records by table and uuid; references as the target's uuid, without ids and names of uploads."""
    connection = sqlite3.connect(office.database, timeout=30)
    try:
        cursor = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in cursor if name not in NOT_EXCHANGED and "uuid" in columns(connection, name)]
        uuids = {name: dict(connection.execute(f"SELECT id, uuid FROM {name}").fetchall()) for name in names}
        return {name: _records(connection, name, uuids) for name in names}
    finally:
        connection.close()


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _records(connection: sqlite3.Connection, table: str, uuids: dict[str, dict[int, str]]) -> dict[str, dict[str, object]]:
    targets = {row[3]: row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
    names = columns(connection, table)
    found = {}
    for row in connection.execute(f"SELECT * FROM {table}"):
        record = dict(zip(names, row, strict=True))
        for name, target in targets.items():
            record[name] = record[name] and uuids[target][record[name]]
        for (owner, name), target in LISTS.items():
            if owner == table:
                record[name] = [uuids[target][int(i)] for i in (record[name] or "").split("|") if i]
        if isinstance(record.get("tags"), str):
            record["tags"] = json.loads(record["tags"])
        found[record["uuid"]] = {k: v for k, v in record.items() if k not in {"id", *UPLOADS}}
    return found
