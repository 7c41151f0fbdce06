"""What the host says about its tables, as one frozen value; web2py's PluginManager is read elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Duplicates(StrEnum):
    """What happens to a record whose match key is that of a local record with another uuid."""

    LINK = "link"  # the incoming uuid becomes an alias of the local record
    ASK = "ask"  # a conflict
    CREATE = "create"  # a second record


@dataclass(frozen=True, slots=True)
class Settings:
    """The host's word on its tables.

    `lookup` and `site_specific` name tables that stay home, `include` tables that travel though they would not (no
    uuid, an archive), `modules` maps tables to modules where the prefix before the first underscore is not it,
    `match` gives the fields by which duplicates with different uuids are found, `duplicates` what to do with them.
    `uuid_only` leaves out tables without a uuid field (the plugin's pages do; the bare functions take them). `domain`
    is the name that Sahana Eden puts before uids that come from here, in S3XML; empty, uids travel as they are.
    """

    lookup: frozenset[str] = frozenset()
    site_specific: frozenset[str] = frozenset()
    include: frozenset[str] = frozenset()
    modules: Mapping[str, str] = field(default_factory=dict)
    match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    duplicates: Duplicates = Duplicates.LINK
    table_policies: Mapping[str, str] = field(default_factory=dict)
    uuid_only: bool = False
    domain: str = ""
