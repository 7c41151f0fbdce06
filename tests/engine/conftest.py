"""New databases for a test, on each engine that has a store."""

from contextlib import ExitStack

import pytest

from plugin_sync.stores import registry

from .databases import PORTABLE, STORES, database


@pytest.fixture(params=STORES)
def engine(request):
    return request.param


@pytest.fixture(autouse=True)
def the_store(request, monkeypatch):
    """Let the portable store serve the database of a test whose engine says so."""
    arguments = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if str(arguments.get("engine")).startswith(PORTABLE):
        monkeypatch.setattr(registry, "STORES", {})


@pytest.fixture
def new_db(engine):
    """Give a function that makes an empty database with tables: `new_db(define)`."""
    with ExitStack() as stack:

        def make(define):
            db = stack.enter_context(database(engine))
            define(db)
            db.commit()
            return db

        yield make
