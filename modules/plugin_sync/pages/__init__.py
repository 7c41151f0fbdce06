"""What the pages show and what their forms ask for, as values: the controller authorises, calls these and renders.

Knows no request: variables come as mappings, times and the translator as arguments. Nothing here commits but `receive`.
"""

from .conflicts import AT_ONCE, candidates, compare, decide, decide_all, list_conflicts
from .exports import form_labels, form_of, read_holdings, read_part, read_whom
from .forms import all_of, is_whole, page_number, read_facts, read_paired, values_of, worded
from .history import list_entries, read_asked, read_filters
from .home import read_home
from .instances import read_calling, read_known, read_synchronised
from .jobs import find_shown, place_of, read_checked, read_ended, read_progress, receive, title_of, why_failed
from .pictures import read_pictures
from .settings import read_schedule, read_wanted
from .tables import mend, mendable, read_tables

__all__ = [
    "AT_ONCE",
    "all_of",
    "candidates",
    "compare",
    "decide",
    "decide_all",
    "find_shown",
    "form_labels",
    "form_of",
    "is_whole",
    "list_conflicts",
    "list_entries",
    "mend",
    "mendable",
    "page_number",
    "place_of",
    "read_asked",
    "read_calling",
    "read_checked",
    "read_ended",
    "read_facts",
    "read_filters",
    "read_holdings",
    "read_home",
    "read_known",
    "read_paired",
    "read_part",
    "read_pictures",
    "read_progress",
    "read_schedule",
    "read_synchronised",
    "read_tables",
    "read_wanted",
    "read_whom",
    "receive",
    "title_of",
    "values_of",
    "why_failed",
    "worded",
]
