import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.days import places_of, user_day_key

USER_DAYS = st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 40_000)))


@given(USER_DAYS, USER_DAYS)
def test_user_days_are_found_wherever_they_stand_and_missed_where_they_do_not(table, wanted):
    keys, asked = (
        user_day_key(np.array([user for user, _ in rows], np.int64), np.array([day for _, day in rows], np.int64))
        for rows in (table, wanted + table)
    )
    found = [table.index(row) if row in table else -1 for row in wanted + table]
    assert places_of(asked, keys).tolist() == found
