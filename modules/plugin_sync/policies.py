"""Who wins when a record is already here: a table of policies and one pure decision.

The stores decide in SQL for speed; `decide` is the specification they are held to by a property test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .errors import SettingsError
from .records import Outcome


class Policy(StrEnum):
    """What happens to a record that is already here and differs."""

    NEWER = "newer"  # the later modified_on wins; equal times are a conflict
    THEIRS = "theirs"  # the file wins
    OURS = "ours"  # the local record stays
    ADD = "add"  # only records that are not here yet are taken
    FILL = "fill"  # the file fills fields that are empty here
    ASK = "ask"  # every difference is a conflict


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a decision: when it was last modified, as comparable text, and its content.

    `timed` is False where no modification time can be known: the table has no such column. `modified` None means
    that the column is there and empty; that is older than any time.
    """

    content: tuple[object, ...]
    modified: str | None = None
    timed: bool = True


def decide(policy: Policy, local: Version | None, incoming: Version) -> Outcome:
    """Return the outcome for one record; `local` is None when it is not here.

    Equal content is SAME whatever the policy, and no write follows from it.
    """
    if local is None:
        return Outcome.NEW
    if local.content == incoming.content:
        return Outcome.SAME
    if policy is Policy.THEIRS:
        return Outcome.CHANGED
    if policy in (Policy.OURS, Policy.ADD):
        return Outcome.OLDER
    if policy is Policy.ASK:
        return Outcome.CONFLICT
    if policy is Policy.FILL:
        return Outcome.CHANGED if _fills(local, incoming) else Outcome.OLDER
    return _newer(local, incoming)


def _fills(local: Version, incoming: Version) -> bool:
    pairs = zip(local.content, incoming.content, strict=True)
    return any(ours in (None, "") and theirs not in (None, "") for ours, theirs in pairs)


def _newer(local: Version, incoming: Version) -> Outcome:
    if not local.timed:
        return Outcome.CHANGED
    if not incoming.timed:
        return Outcome.CONFLICT  # a file without times cannot say that it is newer
    ours, theirs = local.modified or "", incoming.modified or ""
    if theirs == ours:
        return Outcome.CONFLICT
    return Outcome.CHANGED if theirs > ours else Outcome.OLDER


def policy_of(name: str) -> Policy:
    """Return the policy called `name`; SettingsError lists the valid names."""
    try:
        return Policy(name)
    except ValueError as exc:
        names = ", ".join(Policy)
        raise SettingsError(f"unknown policy {name!r}", hint=f"Use one of: {names}.") from exc
