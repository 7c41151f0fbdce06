"""What administrators settle on the page Settings, kept in `plugin_sync_setting`; it wins over what the host said.

A name that was never saved is the host's. Values are JSON. These functions do not commit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import SettingsError
from .policies import Policy, policy_of
from .schema import SETTING

MOST_DAYS = 3650
NAMES = ("policy", "table_policies", "retention_days", "schedule")


@dataclass(frozen=True, slots=True)
class Options:
    """The settings in force: the policy for everything and for single tables, days that files are kept, the schedule."""

    policy: str = Policy.NEWER
    table_policies: Mapping[str, str] = field(default_factory=dict)
    retention_days: int = 90
    schedule: Mapping[str, Any] | None = None


def read_options(db: Any, host: Options) -> Options:
    """Return the settings in force: what was saved, else the host's."""
    rows = db(db[SETTING].name.belongs(NAMES)).select(db[SETTING].name, db[SETTING].value)
    saved = {row.name: json.loads(row.value) for row in rows}
    return Options(**{name: saved.get(name, getattr(host, name)) for name in NAMES})


def save_options(db: Any, options: Options, host: Options) -> None:
    """Save what differs from what is in force.

    Raises SettingsError for what no page offers: an unknown policy, a number of days out of bounds.
    """
    _require(options)
    now = read_options(db, host)
    for name in NAMES:
        value = getattr(options, name)
        if value != getattr(now, name):
            text = json.dumps(value if not isinstance(value, Mapping) else dict(value), ensure_ascii=True)
            db[SETTING].update_or_insert(db[SETTING].name == name, name=name, value=text)


def days_of(text: str) -> int | None:
    """Return a number of days that people typed; None when it is none, or out of bounds."""
    bare = text.strip()
    days = int(bare) if bare.isascii() and bare.isdigit() and len(bare) < 6 else 0
    return days if 1 <= days <= MOST_DAYS else None


def _require(options: Options) -> None:
    for name in (options.policy, *options.table_policies.values()):
        policy_of(name)
    if not 1 <= options.retention_days <= MOST_DAYS:
        raise SettingsError(f"files cannot be kept for {options.retention_days} days", hint=f"Use 1 to {MOST_DAYS}.")
