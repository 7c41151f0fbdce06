"""When files are made by themselves: plans, and what follows from them."""

from datetime import datetime

import pytest

from plugin_sync.jobs import Every, Plan, plan_of

NOW = datetime(2026, 5, 2, 9, 12)


@pytest.mark.parametrize(
    ("every", "first", "start"),
    [
        (Every.MANUAL, None, None),
        (Every.MANUAL, datetime(2026, 5, 3), None),
        (Every.DAILY, None, None),
        (Every.ONCE, datetime(2026, 5, 2, 9, 11), None),
        (Every.ONCE, NOW, NOW),
        (Every.ONCE, datetime(2026, 6, 1), datetime(2026, 6, 1)),
        (Every.HOURLY, datetime(2026, 5, 2, 8, 12), NOW),
        (Every.HOURLY, datetime(2026, 5, 2, 8, 13), datetime(2026, 5, 2, 9, 13)),
        (Every.DAILY, datetime(2026, 4, 1, 2), datetime(2026, 5, 3, 2)),
        (Every.DAILY, datetime(2026, 5, 9, 2), datetime(2026, 5, 9, 2)),
        (Every.WEEKLY, datetime(2026, 4, 27, 2), datetime(2026, 5, 4, 2)),
    ],
)
def test_the_next_time_is_not_before_now(every, first, start):
    assert Plan(every, first).start(NOW) == start


@pytest.mark.parametrize("plan", [Plan(), Plan(Every.WEEKLY, NOW), Plan(Every.ONCE, None)])
def test_a_plan_survives_being_kept(plan):
    assert plan_of(plan.to_dict()) == plan


def test_by_hand_is_what_was_never_said():
    assert plan_of(None) == Plan(Every.MANUAL, None)
