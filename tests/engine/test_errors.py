"""The error tree: whole in its docstring, codes of its own, what it tells the operator."""

import re

from plugin_sync import errors
from plugin_sync.errors import RowsRejected, SyncError
from plugin_sync.records import Problem


def tree(kind=SyncError):
    return [kind, *(found for sub in kind.__subclasses__() for found in tree(sub))]


def own():
    return [kind for kind in tree() if kind.__module__ == errors.__name__]


def test_the_docstring_draws_the_whole_tree():
    drawn = re.findall(r"^    [ |`-]*([A-Z]\w+)  ", errors.__doc__, re.MULTILINE)
    assert sorted(drawn) == sorted(kind.__name__ for kind in own())


def test_the_docstring_draws_it_as_it_is():
    depths = {name: len(lead) // 4 for lead, name in re.findall(r"^    ([ |`-]*)([A-Z]\w+)  ", errors.__doc__, re.MULTILINE)}
    assert depths == {kind.__name__: len(kind.__mro__) - len(SyncError.__mro__) for kind in own()}


def test_every_error_has_a_code_of_its_own():
    codes = [kind.code for kind in own()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_what_is_busy_or_silent_is_worth_another_try():
    assert [kind.__name__ for kind in own() if kind.retryable] == ["StoreBusy", "PeerSilent", "TooBusy"]


def test_an_error_says_where_and_what_to_do():
    error = SyncError("is not a date", table="pr_person", line=12, column="dob", hint="Write 2024-03-31.")
    assert str(error) == "table pr_person, line 12, column dob: is not a date. Write 2024-03-31."
    assert error.to_dict() == {
        "error": "sync_error",
        "reason": "is not a date",
        "hint": "Write 2024-03-31.",
        "table": "pr_person",
        "line": 12,
        "column": "dob",
        "retryable": False,
    }
    assert str(SyncError("stopped")) == "stopped"


def test_rejected_rows_name_the_first_and_carry_all():
    problems = [Problem("bad_value", "is not a date", "t", 3, "d", "x", "Mend it."), Problem("row_width", "is short", "t", 4)]
    error = RowsRejected(problems, 7)
    assert (error.where, error.hint, error.problems, error.total) == ("table t, line 3, column d", "Mend it.", tuple(problems), 7)
    assert error.message == "is not a date (and 6 more problems)"
    assert RowsRejected(problems[:1], 2).message == "is not a date (and 1 more problem)"
    assert RowsRejected(problems[:1], 1).message == "is not a date"
