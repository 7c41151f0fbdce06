"""Work that outlives its request: imports that are checked and applied, exports that are remembered.

    rows, files -> progress -> boards -> watching -> running -> imports        placing, schedule, downloads -> outbox

A job waits (`queued`) for a step, a process does it (`running`) while it holds the job's lock, and says on the job's board
how far it is. See docs/jobs.md.
"""

from .boards import Board, open_board
from .downloads import Download, Target
from .files import MAX_UPLOAD_BYTES, keep_file, remove_old_files, rows_of
from .imports import Arrival, Imports
from .outbox import Outbox, Parcel
from .placing import begin, has_worker, in_thread
from .progress import Phase, Progress
from .rows import COMMAND_LINE, OTHER_OFFICE, Job, State, Step, find_job, last_jobs, undo_of
from .running import End, Runner
from .schedule import Every, Plan, next_run, plan_of, set_plan

__all__ = [
    "COMMAND_LINE",
    "MAX_UPLOAD_BYTES",
    "OTHER_OFFICE",
    "Arrival",
    "Board",
    "Download",
    "End",
    "Every",
    "Imports",
    "Job",
    "Outbox",
    "Parcel",
    "Phase",
    "Plan",
    "Progress",
    "Runner",
    "State",
    "Step",
    "Target",
    "begin",
    "find_job",
    "has_worker",
    "in_thread",
    "keep_file",
    "last_jobs",
    "next_run",
    "open_board",
    "plan_of",
    "remove_old_files",
    "rows_of",
    "set_plan",
    "undo_of",
]
