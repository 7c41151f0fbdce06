"""Who wins, as tables: local and incoming side, policy, outcome."""

import itertools

import pytest

from plugin_sync import Outcome, Policy, SettingsError, decide
from plugin_sync.policies import Version, policy_of

OLD, NEW = "2024-01-01 00:00:00", "2024-06-01 00:00:00"
A, B = ("Anna", None), ("Berta", None)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("modified", [None, OLD])
def test_what_is_not_here_is_new(policy, modified):
    assert decide(policy, None, Version(A, modified)) is Outcome.NEW


@pytest.mark.parametrize("policy", Policy)
def test_equal_content_is_the_same_whatever_the_policy(policy):
    assert decide(policy, Version(A, OLD), Version(A, NEW)) is Outcome.SAME


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (Policy.THEIRS, Outcome.CHANGED),
        (Policy.OURS, Outcome.OLDER),
        (Policy.ADD, Outcome.OLDER),
        (Policy.ASK, Outcome.CONFLICT),
    ],
)
def test_policies_that_ignore_time(policy, outcome):
    for ours, theirs in itertools.product((None, OLD, NEW), repeat=2):
        assert decide(policy, Version(A, ours), Version(B, theirs)) is outcome


@pytest.mark.parametrize(
    ("ours", "theirs", "outcome"),
    [
        (OLD, NEW, Outcome.CHANGED),
        (NEW, OLD, Outcome.OLDER),
        (NEW, NEW, Outcome.CONFLICT),
        (None, OLD, Outcome.CHANGED),
        (OLD, None, Outcome.OLDER),
        (None, None, Outcome.CONFLICT),
        ("2024-01-01 00:00:00", "2024-01-01 00:00:00.000001", Outcome.CHANGED),
    ],
)
def test_newer_goes_by_time(ours, theirs, outcome):
    assert decide(Policy.NEWER, Version(A, ours), Version(B, theirs)) is outcome


def test_newer_without_times():
    assert decide(Policy.NEWER, Version(A, timed=False), Version(B, timed=False)) is Outcome.CHANGED
    assert decide(Policy.NEWER, Version(A, OLD), Version(B, timed=False)) is Outcome.CONFLICT


@pytest.mark.parametrize(
    ("local", "incoming", "outcome"),
    [
        ((None, 1), ("x", 2), Outcome.CHANGED),
        (("", 1), ("x", 1), Outcome.CHANGED),
        (("x", 1), (None, 1), Outcome.OLDER),
        (("x", 1), ("y", 1), Outcome.OLDER),
        ((None, 1), ("", 2), Outcome.OLDER),
        ((0, 1), (5, 1), Outcome.OLDER),
    ],
)
def test_fill_takes_only_what_is_empty_here(local, incoming, outcome):
    assert decide(Policy.FILL, Version(local), Version(incoming)) is outcome


def test_policies_by_name():
    assert [policy_of(p.value) for p in Policy] == list(Policy)
    with pytest.raises(SettingsError) as caught:
        policy_of("latest")
    assert caught.value.code == "settings"
    assert all(p.value in caught.value.hint for p in Policy)
