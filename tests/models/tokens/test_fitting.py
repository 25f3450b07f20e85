import math

import pyarrow as pa
import pytest
from event_streams import CATEGORICAL, NUMERIC, event, in_memory, write_days

from pipeline.errors import InputError
from pipeline.models.tokens.fitting import fit_fields


def fitted(tmp_path, rows, **options):
    return fit_fields(in_memory(), write_days(tmp_path, rows), CATEGORICAL, NUMERIC, **options)


def test_a_vocabulary_lists_the_frequent_values_first_and_leaves_out_rare_ones(tmp_path):
    rows = [event("a", 0, i, category="toys" if i < 3 else "books") for i in range(8)]
    rows.append(event("a", 1, category="seen once"))
    assert fitted(tmp_path, rows).categorical[1].values == ("books", "toys")


def test_a_vocabulary_keeps_to_its_limit(tmp_path):
    rows = [event("a", 0, i, category=f"c{i % 70}") for i in range(210)]
    assert len(fitted(tmp_path, rows).categorical[1].values) == 62


def test_a_number_is_scaled_by_median_and_spread_of_its_logarithm_whatever_the_outlier(tmp_path):
    rows = [event("a", 0, i, amount=float(i + 1)) for i in range(99)]
    calm = fitted(tmp_path / "calm", rows).numeric[0]
    wild = fitted(tmp_path / "wild", [*rows, event("a", 1, amount=1e15), event("a", 1, 1, amount=0.5)]).numeric[0]
    assert calm.median == pytest.approx(math.log1p(50))
    assert wild.median == pytest.approx(calm.median)
    assert wild.scale == pytest.approx(calm.scale, rel=0.1)


def test_gaps_are_measured_between_a_users_events_only(tmp_path):
    rows = [event(user, 0, 10.0 * i) for user in "ab" for i in range(5)]
    assert fitted(tmp_path, rows).numeric[1].median == pytest.approx(math.log1p(10))


def test_a_field_that_never_varies_or_is_never_there_keeps_a_usable_scale(tmp_path):
    constant = fitted(tmp_path / "constant", [event("a", 0, i, amount=7.0) for i in range(5)]).numeric[0]
    absent = fitted(tmp_path / "absent", [event("a", 0, i, amount=None, category=None) for i in range(5)])
    assert constant.scale == absent.numeric[0].scale == 1.0


def test_a_category_that_is_never_known_in_training_is_not_read(tmp_path):
    """Else every window would be odd on the day its first value comes."""
    rows = [event("a", 0, i, category=None) for i in range(5)]
    assert [field.name for field in fitted(tmp_path, rows).categorical] == [
        name for name in CATEGORICAL if name != "category"
    ]
    with pytest.raises(InputError, match="no field of the event tokens is known on the training days"):
        fit_fields(in_memory(), write_days(tmp_path / "nothing", rows), ["category"], [])


def test_nan_and_infinity_do_not_spoil_the_scale(tmp_path):
    odd = [event("a", 1, i, amount=value) for i, value in enumerate([math.nan, math.inf, -math.inf])]
    field = fitted(tmp_path, [event("a", 0, i, amount=float(i + 1)) for i in range(50)] + odd).numeric[0]
    assert math.isfinite(field.median) and math.isfinite(field.scale)


def test_only_chosen_users_count(tmp_path):
    rows = [event("a", 0, i, category="toys") for i in range(4)] + [event("b", 0, i, category="food") for i in range(9)]
    assert fitted(tmp_path, rows, users=pa.array(["a"])).categorical[1].values == ("toys",)


def test_no_days_at_all_is_a_clear_error():
    with pytest.raises(InputError, match="no days of event tokens"):
        fit_fields(in_memory(), [], CATEGORICAL, NUMERIC)
