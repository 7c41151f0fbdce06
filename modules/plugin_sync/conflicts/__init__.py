"""Records with two versions, one here and one from a file: kept until somebody decides, then written like any import."""

from .decisions import NEWEST, OTHER, OURS, THEIRS, Pick, decide_all, decide_one
from .rows import Conflict, count_filtered, count_open, find_conflict, list_open, next_open, note_conflicts, open_by
from .sides import Pair, candidates, record_name, sides, times

__all__ = [
    "NEWEST",
    "OTHER",
    "OURS",
    "THEIRS",
    "Conflict",
    "Pair",
    "Pick",
    "candidates",
    "count_filtered",
    "count_open",
    "decide_all",
    "decide_one",
    "find_conflict",
    "list_open",
    "next_open",
    "note_conflicts",
    "open_by",
    "record_name",
    "sides",
    "times",
]
