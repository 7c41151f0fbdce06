"""Fixtures for every test that needs a running application."""

from collections.abc import Callable, Iterator

import pytest

from . import offices


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
