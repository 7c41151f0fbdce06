"""Reports as text to keep in a job's row, and back.

Pure. ASCII only, so that any database keeps it unharmed; a report read back equals the one written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .records import (
    Counts,
    FieldChange,
    ImportReport,
    KeptRecord,
    Origin,
    Outcome,
    Problem,
    ProblemGroup,
    Sample,
    TableReport,
    UndoneTable,
    UndoReport,
)


def dump_report(report: ImportReport | UndoReport) -> str:
    """Return a report as JSON."""
    return json.dumps(asdict(report), ensure_ascii=True, separators=(",", ":"))


def load_report(text: str) -> ImportReport:
    """Return the report that `dump_report` wrote."""
    data: dict[str, Any] = json.loads(text)
    return ImportReport(
        **{
            **data,
            "tables": tuple(_table(table) for table in data["tables"]),
            "problems": tuple(Problem(**problem) for problem in data["problems"]),
            "groups": tuple(_group(group) for group in data["groups"]),
            "warnings": tuple(Problem(**problem) for problem in data["warnings"]),
            "ignored_tables": tuple(data["ignored_tables"]),
            "origin": Origin(**data["origin"]),
        }
    )


def load_undo_report(text: str) -> UndoReport:
    """Return the report of an undo that `dump_report` wrote."""
    data: dict[str, Any] = json.loads(text)
    tables = tuple(UndoneTable(**table) for table in data.pop("tables"))
    return UndoReport(tables=tables, kept=tuple(KeptRecord(**record) for record in data.pop("kept")), **data)


def _table(data: Mapping[str, Any]) -> TableReport:
    samples = tuple(_sample(sample) for sample in data["samples"])
    return TableReport(data["table"], Counts(**data["counts"]), tuple(data["ignored_columns"]), samples)


def _sample(data: Mapping[str, Any]) -> Sample:
    changes = tuple(FieldChange(**change) for change in data["changes"])
    return Sample(data["key"], data["line"], Outcome(data["outcome"]), changes)


def _group(data: Mapping[str, Any]) -> ProblemGroup:
    return ProblemGroup(**{**data, "lines": tuple(data["lines"])})
