"""New databases for a test, on each engine that has a store."""

from contextlib import ExitStack

import pytest

from .databases import STORES, database


@pytest.fixture(params=STORES)
def engine(request):
    return request.param


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
