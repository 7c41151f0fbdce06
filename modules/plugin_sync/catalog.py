"""From pyDAL tables to table specifications: module, included or the reason why not, what never travels, order.

Reads definitions only, never rows. Names that reach SQL anywhere in the engine come from here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from .errors import SettingsError
from .records import FieldSpec, Identity, TableSpec
from .settings import Settings
from .values import CODECS

DENIED_TABLES = re.compile(r"(auth|sync|plugin_sync|scheduler|web2py_session)_\w*\Z")
SECRET_FIELDS = re.compile(
    r"(.*_)?(password|passwd|passphrase|secret|token|api_?key|private_key|registration_key|reset_password_key)(_.*)?\Z"
)
REASON_DENIED = "never leaves this office: accounts, sessions and the synchronisation's own tables"
REASON_LOOKUP = "lookup list, same everywhere"
REASON_SITE = "settings of this site"
REASON_ARCHIVE = "history of another table"
REASON_NO_UUID = "no UUID"

UUID_NAME, MODIFIED_NAME = "uuid", "modified_on"
NATIVE_TYPES = {"int": "integer", "integer": "integer", "bigint": "bigint", "double": "double", "real": "double"}
PLAIN_TYPES = frozenset(CODECS)


def is_denied(table_name: str) -> bool:
    """Whether no setting lets the table in or out: accounts, memberships, sessions, the plugin's own tables."""
    return DENIED_TABLES.match(table_name.lower()) is not None


def is_secret(field_name: str, field_type: str) -> bool:
    """Whether a field never leaves or enters, by its type or by its name."""
    return field_type == "password" or SECRET_FIELDS.match(field_name.lower()) is not None


@dataclass(frozen=True)
class Catalog:
    """All tables of a database as specifications, in reference order: what is pointed to comes first where it can."""

    tables: tuple[TableSpec, ...]

    @property
    def included(self) -> tuple[TableSpec, ...]:
        """The tables that travel."""
        return tuple(t for t in self.tables if t.included)

    @property
    def modules(self) -> dict[str, tuple[TableSpec, ...]]:
        """Included tables by module, modules in alphabetical order."""
        names = sorted({t.module for t in self.included})
        return {name: tuple(t for t in self.included if t.module == name) for name in names}

    @cached_property
    def by_name(self) -> dict[str, TableSpec]:
        """All tables by name."""
        return {t.name: t for t in self.tables}

    def get(self, name: str) -> TableSpec | None:
        """Return the table called `name`, whatever its case, or None."""
        return self.by_name.get(name) or next((t for t in self.tables if t.name.lower() == name.lower()), None)

    def choose(self, tables: Iterable[str] | None, module: str | None) -> tuple[TableSpec, ...]:
        """Return the included tables asked for; SettingsError names what does not exist or stays home."""
        if module is not None and module not in self.modules:
            known = ", ".join(self.modules)
            raise SettingsError(f"no module is called {module!r}", hint=f"There are: {known}.")
        wanted = set(tables) if tables is not None else None
        for name in sorted(wanted or ()):
            self._require(name)
        chosen = self.included if module is None else self.modules[module]
        return tuple(t for t in chosen if wanted is None or t.name in wanted)

    def _require(self, name: str) -> None:
        spec = self.by_name.get(name)
        if spec is None:
            raise SettingsError(f"no table is called {name!r}")
        if not spec.included:
            raise SettingsError(f"table {name} does not travel: {spec.reason}")


def read_catalog(db: Any, settings: Settings | None = None) -> Catalog:
    """Return the specifications of all tables of a pydal.DAL under the host's settings."""
    settings = settings or Settings()
    specs = [_table_spec(db[name], settings) for name in db.tables]
    travelling = {s.name for s in specs if not is_denied(s.name)}
    specs = [_without_denied_references(spec, travelling) for spec in specs]
    return Catalog(tuple(_in_reference_order(specs)))


def _table_spec(table: Any, settings: Settings) -> TableSpec:
    name = table._tablename
    keys = tuple(getattr(table, "_primarykey", None) or ())
    fields = [table[f] for f in table.fields]
    id_field = None if keys else next((f for f in fields if _base_type(f) == "id"), None)
    data = [f for f in fields if f is not id_field and (f.type != "id" or keys)]
    kept = tuple(_field_spec(f) for f in data if not is_secret(f.name, _base_type(f)))
    uuid_name = next((f.name for f in kept if f.name == UUID_NAME and f.type in ("string", "text")), None)
    identity = Identity.PRIMARY_KEY if keys else Identity.UUID if uuid_name else Identity.CONTENT
    spec = TableSpec(
        name=name,
        sql_name=table._rname,
        module=settings.modules.get(name, name.split("_", 1)[0]),
        fields=kept,
        identity=identity,
        id_name=id_field.name if id_field is not None else None,
        id_column=id_field._rname if id_field is not None else None,
        primary_key=keys,
        uuid_name=uuid_name if identity is Identity.UUID else None,
        modified_name=next((f.name for f in kept if f.name == MODIFIED_NAME and f.type == "datetime"), None),
        withheld=tuple(f.name for f in data if is_secret(f.name, _base_type(f))),
        label=str(table._plural or table._singular or name),
    )
    return replace(spec, reason=_reason(spec, settings))


def _reason(spec: TableSpec, settings: Settings) -> str:
    name = spec.name
    if is_denied(name):
        return REASON_DENIED
    if name in settings.include:
        return ""
    if name in settings.lookup:
        return REASON_LOOKUP
    if name in settings.site_specific:
        return REASON_SITE
    if name.endswith("_archive") and spec.field("current_record") is not None:
        return REASON_ARCHIVE
    if settings.uuid_only and spec.identity is not Identity.UUID:
        return REASON_NO_UUID
    return ""


def _base_type(field: Any) -> str:
    """Return the type of a field without its arguments; of a custom type that of what the database stores."""
    declared = field.type
    if not isinstance(declared, str):
        native = re.match(r"\w+", declared.native or "")
        declared = NATIVE_TYPES.get(native[0].lower() if native else "", declared.type)
    base = re.match(r"list:\w+|[\w-]+", declared)
    name = base[0] if base else "string"
    return {"big-reference": "reference", "big-id": "id", "reference-fk": "reference"}.get(name, name)


def _field_spec(field: Any) -> FieldSpec:
    kind, target = _base_type(field), None
    if kind in ("reference", "list:reference"):
        target = field.type.split(" ", 1)[-1].strip().strip("<>")
        if "." in target:  # to a column of a keyed table: the value is the key itself
            kind, target = _referenced_type(field, target), None
    kind = kind if kind in PLAIN_TYPES else "text"
    numbers = re.match(r"decimal\((\d+),\s*(\d+)\)", field.type) if kind == "decimal" else None
    return FieldSpec(
        name=field.name,
        column=field._rname,
        type=kind,
        target=target,
        length=field.length if kind in ("string", "upload") else None,
        precision=int(numbers[1]) if numbers else None,
        scale=int(numbers[2]) if numbers else None,
        notnull=bool(field.notnull),
        unique=bool(field.unique),
        label=str(field.label or field.name),
    )


def _referenced_type(field: Any, target: str) -> str:
    table, _, column = target.partition(".")
    db = field.db
    return _base_type(db[table][column]) if table in db.tables else "string"


def _without_denied_references(spec: TableSpec, travelling: set[str]) -> TableSpec:
    """Withhold references to tables that never travel: an account here is a stranger there."""
    lost = tuple(f.name for f in spec.references if f.target not in travelling)
    kept = tuple(f for f in spec.fields if f.name not in lost)
    return replace(spec, fields=kept, withheld=spec.withheld + lost) if lost else spec


def _in_reference_order(specs: Sequence[TableSpec]) -> Iterator[TableSpec]:
    """Yield what is pointed to before what points to it; cycles are broken at the table that comes first."""
    by_name = {s.name: s for s in specs}
    done: set[str] = set()

    for start in specs:
        stack: list[tuple[TableSpec, Iterator[str]]] = []
        if start.name not in done:
            done.add(start.name)
            stack.append((start, _targets(start)))
        while stack:
            _, targets = stack[-1]
            following = next((t for t in targets if t in by_name and t not in done), None)
            if following is None:
                yield stack.pop()[0]
            else:
                done.add(following)
                stack.append((by_name[following], _targets(by_name[following])))


def _targets(spec: TableSpec) -> Iterator[str]:
    return iter([f.target for f in spec.references if f.target])
