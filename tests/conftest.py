"""Fixtures for every test that needs a running application."""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import sync_playwright
from xdist.scheduler import LoadScopeScheduling

from . import offices

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


class Apart(LoadScopeScheduling):
    """Tests of served applications share the offices of their file: one process runs a file's. The others go one by one."""

    def _split_scope(self, nodeid):
        return nodeid.split("::")[0] if nodeid.startswith(("tests/host/", "tests/web/")) else nodeid


def pytest_xdist_make_scheduler(config, log):
    """Let several processes run the tests so."""
    return Apart(config, log)


@pytest.fixture(scope="session")
def start_office(tmp_path_factory) -> Iterator[Callable[..., offices.Office]]:
    """Start a further office: `start_office("name", demo="none")`. All are stopped at the end."""
    folder = tmp_path_factory.mktemp("instances")
    started: list[offices.Office] = []

    def start(name: str, demo: str = "none", **environment: str) -> offices.Office:
        started.append(offices.start(folder, name, demo, **environment))
        return started[-1]

    yield start
    for office in started:
        if office.process.poll() is None:
            office.stop()


@pytest.fixture(scope="session")
def main_office(start_office) -> offices.Office:
    """The main office with its demonstration data. Tests must leave its records as they are."""
    return start_office("main", demo="main")


@pytest.fixture(scope="session")
def jacmel_office(start_office) -> offices.Office:
    """Jacmel's office with its demonstration data. Tests must leave its records as they are."""
    return start_office("jacmel", demo="jacmel")


@pytest.fixture
def empty_office(start_office, request) -> offices.Office:
    """A new office without records, for one test."""
    return start_office(f"empty-{abs(hash(request.node.nodeid))}")


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium; without it these tests are skipped, or fail when everything is required."""
    if not os.access(CHROMIUM, os.X_OK):
        if os.environ.get("SYNC_REQUIRE") == "all":
            pytest.fail("SYNC_REQUIRE=all, but there is no chromium (apt-get install chromium)")
        pytest.skip("there is no chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()
