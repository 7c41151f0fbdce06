"""Transfers: pieces in any number of tries, nobody else's, thrown away in time."""

import hashlib
import os

import pytest

from plugin_sync.errors import CallRefused, FileAltered, FileIncomplete, TooLarge
from plugin_sync.services import Limits, Transfers

DATA = b"0123456789" * 10
FACTS = {"kind": "import", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}


@pytest.fixture
def transfers(tmp_path):
    return Transfers(tmp_path / "transfers", Limits(piece_bytes=40, open_transfers=3))


def test_pieces_come_once_or_twice_and_go_on_after_a_break(transfers):
    name = transfers.begin("user 7", FACTS)
    found = transfers.find(name, "user 7", "import")
    assert transfers.write(name, found, 0, DATA[:40]) == 40
    assert transfers.write(name, found, 0, DATA[:40]) == 40
    assert transfers.write(name, found, 20, DATA[20:60]) == 60
    with pytest.raises(FileIncomplete):
        transfers.require_whole(name, found)
    with pytest.raises(CallRefused) as refused:
        transfers.write(name, found, 61, b"x")
    assert refused.value.hint == "Go on at 60."
    assert transfers.write(name, found, 60, DATA[60:]) == 100
    assert transfers.require_whole(name, found).read_bytes() == DATA
    assert b"".join(transfers.read(name, start, 1000) for start in range(0, 120, 40)) == DATA


def test_what_does_not_fit_is_refused_and_leaves_what_came(transfers):
    name = transfers.begin("user 7", FACTS)
    found = transfers.find(name, "user 7", "import")
    for offset, data in ((0, b"x" * 41), (-1, b"x")):
        with pytest.raises((TooLarge, CallRefused)):
            transfers.write(name, found, offset, data)
    for start in range(0, 100, 40):
        transfers.write(name, found, start, b"y" * len(DATA[start : start + 40]))
    with pytest.raises(TooLarge):
        transfers.write(name, found, 99, b"yy")
    with pytest.raises(FileAltered):
        transfers.require_whole(name, found)


@pytest.mark.parametrize("name", ["../../models/db", "", "x", None, 7, "00000000-0000-4000-8000-000000000000"])
def test_there_is_nothing_by_other_names(transfers, name):
    transfers.begin("user 7", FACTS)
    with pytest.raises(CallRefused):
        transfers.find(name, "user 7", "import")


@pytest.mark.parametrize(("owner", "kind"), [("user 8", "import"), ("instance a1b2", "import"), ("user 7", "export")])
def test_a_transfer_is_its_owners_alone(transfers, owner, kind):
    name = transfers.begin("user 7", FACTS)
    with pytest.raises(CallRefused):
        transfers.find(name, owner, kind)


def test_the_one_that_rested_longest_makes_room(transfers):
    names = []
    for age in (30, 20, 10):
        names.append(transfers.begin("user 7", FACTS))
        transfers.write(names[-1], FACTS, 0, b"0")
        when = transfers.clock() - age
        os.utime(transfers.data(names[-1]), (when, when))
    other = transfers.begin("user 8", FACTS)
    transfers.begin("user 7", FACTS)
    kept = [not transfers.find(name, "user 7", "import").get("ended") for name in names]
    assert (kept, transfers.data(names[0]).exists()) == ([False, True, True], False)
    assert not transfers.find(other, "user 8", "import").get("ended")


def test_old_ones_are_thrown_away(transfers):
    name = transfers.begin("user 7", FACTS)
    later = Transfers(transfers.folder, transfers.limits, lambda: transfers.clock() + 3 * 86_400)
    later.begin("user 8", FACTS)
    with pytest.raises(CallRefused):
        transfers.find(name, "user 7", "import")
