"""What the stores that take rows as the file has them have in common (`postgres_staging`, `mysql_staging`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..records import FieldSpec, Identity
from .staging import Layout, Staged

BLOCKS = 16  # of a file that are handed on at once; between two the caller is told how far it is
MAX_WIDTH = 500  # cells of a row
Told = Callable[[int], None]
Rule = TypeVar("Rule")


def rules_of(staged: Staged, layout: Layout, rule_of: Callable[[FieldSpec], Rule | None]) -> list[Rule] | None:
    """Return the rule for each staged column; None where the rows have to be read by cells: without a uuid, with more cells
    than a table of texts takes, or with a column of another type.
    """
    spec, position = staged.spec, staged.position(staged.spec.uuid_name or "")
    if spec.identity is not Identity.UUID or spec.id_column is None or position is None or layout.fields[position] < 0:
        return None
    if layout.width > MAX_WIDTH:
        return None
    found = [rule_of(field) for field in staged.fields]
    rules = [rule for rule in found if rule is not None]
    return rules if len(rules) == len(found) else None
