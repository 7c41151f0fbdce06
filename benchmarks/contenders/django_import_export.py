"""django-import-export at its fastest: bulk statements, local rows read once, no differences rendered.

References are plain integers to it: its own widget for them asks the database once a cell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import django
import import_export.resources
import tablib
from django.conf import settings
from django.db import models
from import_export.instance_loaders import CachedInstanceLoader
from schema import ORG_TABLE, ORG_TYPES, PERSON_TABLE, PERSON_TYPES
from task import Job, Outcome, Task

KINDS: dict[str, Any] = {
    "string": lambda: models.CharField(max_length=512),
    "text": models.TextField,
    "integer": lambda: models.IntegerField(null=True),
    "reference": lambda: models.IntegerField(null=True),
    "double": lambda: models.FloatField(null=True),
    "decimal(12,2)": lambda: models.DecimalField(max_digits=12, decimal_places=2),
    "boolean": lambda: models.CharField(max_length=1),
    "date": models.DateField,
    "datetime": models.DateTimeField,
}


def prepare(task: Task) -> Job:
    """Set Django up; see `task.Prepare`."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": task.connection["database"]}
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["import_export"], USE_TZ=False)
    django.setup()
    resources = {table: _resource(table, types) for table, types in ((ORG_TABLE, ORG_TYPES), (PERSON_TABLE, PERSON_TYPES))}

    def import_files() -> Outcome:
        totals = {}
        for table, path in task.raw_files.items():
            with Path(path).open(encoding="utf-8", newline="") as file:
                rows = tablib.Dataset().load(file, format="csv")
            totals[table] = resources[table].import_data(rows, raise_errors=True, use_transactions=True).totals
        return {"counts": totals}

    def export_file() -> None:
        with Path(task.output).open("w", encoding="utf-8", newline="") as file:
            for resource in resources.values():
                file.write(resource.export().export("csv"))

    return export_file if task.operation == "export" else import_files


def _resource(table: str, types: dict[str, str]) -> Any:
    """Make the model of a table and its resource."""
    fields = {name: KINDS.get(kind, KINDS[kind.split()[0]])() for name, kind in types.items()}
    about = type("Meta", (), {"app_label": "import_export", "db_table": table, "managed": False})
    model = type(table, (models.Model,), {"__module__": __name__, "Meta": about, **fields})
    options = {
        "model": model,
        "fields": tuple(types),
        "import_id_fields": ("uuid",),
        "instance_loader_class": CachedInstanceLoader,
        "use_bulk": True,
        "skip_unchanged": True,
        "skip_html_diff": True,  # with skip_diff it would skip no unchanged row
        "report_skipped": False,
    }
    resource = type(f"{table}_resource", (import_export.resources.ModelResource,), {"Meta": type("Meta", (), options)})
    return resource()
