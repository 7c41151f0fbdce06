"""The page about acceptance names all checks, and tests that exist."""

import re

from ..offices import ROOT

PAGE = (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
CHECKS = 17


def test_each_check_is_shown_by_a_test():
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, CHECKS + 1))
    assert all(re.findall(r"`test_\w+\.py::test_\w+`", shown) for _, shown in rows)


def test_the_named_tests_exist_and_are_never_skipped():
    for name, test in re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE):
        source = (ROOT / "tests" / "web" / name).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in source, (name, test)
        assert "mark.skip" not in source and "xfail" not in source, name


def test_each_test_of_acceptance_is_named():
    for path in (ROOT / "tests" / "web").glob("test_acceptance_*.py"):
        for test in re.findall(r"^def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"`{path.name}::{test}`" in PAGE, test
