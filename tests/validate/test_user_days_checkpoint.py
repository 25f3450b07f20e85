"""Features that went wrong on the way from the lake: noticed before anybody is ranked by them."""

from datetime import timedelta

import duckdb
import pytest
from shop_days import AS_OF, DAY, SHOP, write_day
from support import add_snapshot

from pipeline import validate
from pipeline.checkpoints import report_path
from pipeline.context import Run
from pipeline.errors import CheckpointFailedError, InputError
from pipeline.validate import user_days_checkpoint
from pipeline.validate.user_days import FeatureStats, feature_table

FEATURES = """
    select
        user_id || '|{day}' as user_day_id,
        user_id,
        date '{day}' as event_day,
        count(*)::double as event_count,
        sum(amount)::double as paid_amount,
        case when count(distinct session_id) > 2 then count(distinct session_id)::double end as session_count,
        avg((hour(event_at) < 6)::int) as night_ratio
    from read_parquet('{home}/lake/events/event_day={day}/*.parquet')
    where event_at < date '{day}' + interval 1 day
    group by user_id
"""


def write_features(home, day, *changes):
    """The day's user-days as the features step would leave them, with `changes` made to the table `features`."""
    aside = home / "aside.parquet"
    with duckdb.connect() as con:
        con.execute(f"create table features as {FEATURES.format(day=day, home=home)}")
        for change in changes:
            con.execute(change)
        con.execute(f"copy (from features order by user_id) to '{aside}' (format parquet)")
    made_from = {"day": str(day), "changes": changes}
    return add_snapshot(home, "user_days", day, aside, made_from, AS_OF - (DAY - day))


@pytest.fixture(scope="module")
def past_features(past_home):
    for back in range(1, 29):
        write_features(past_home, DAY - timedelta(days=back))


@pytest.fixture
def ready(past_features, settings):
    write_day(settings.home, DAY)
    return settings


def check(settings):
    return user_days_checkpoint(Run(settings, SHOP, DAY, AS_OF))


def names(report, outcome):
    return sorted({finding.name for finding in report.findings if finding.outcome == outcome})


def test_ordinary_features_pass_without_a_word(ready):
    write_features(ready.home, DAY)
    report = check(ready)
    assert not report.has_failed and report.warnings == []


CRITICAL = {
    "users_are_missing": ("delete from features where hash(user_id) % 10 = 0", "day.users_lost"),
    "events_are_missing": ("update features set event_count = event_count - 1 where user_id = 'u7'", "day.events_lost"),
    "a_user_is_there_twice": ("insert into features select * from features where user_id = 'u7'", "keys.user_id"),
    "rows_of_another_day": ("update features set event_day = event_day - 1 where user_id = 'u7'", "keys.event_day"),
    "a_feature_is_no_longer_known": ("update features set paid_amount = null", "features.rise"),
    "a_feature_is_not_a_number": (
        "update features set night_ratio = 'nan' where user_id = 'u7'",
        "features.non_finite_count",
    ),
    "an_empty_table": ("delete from features", "day.users_lost"),
}


@pytest.mark.parametrize("name", CRITICAL)
def test_broken_features_stop_the_day(ready, name):
    change, finding = CRITICAL[name]
    write_features(ready.home, DAY, change)
    assert finding in names(check(ready), "critical")


WARNING = {
    "less_is_known": (
        "update features set session_count = null where hash(user_id) % 3 = 0",
        "features.rise",
    ),
    "all_are_alike": ("update features set night_ratio = 0.25", "features.became_constant"),
}


@pytest.mark.parametrize("name", WARNING)
def test_odd_features_are_written_on_the_list(ready, name):
    change, finding = WARNING[name]
    write_features(ready.home, DAY, change)
    report = check(ready)
    assert not report.has_failed
    assert finding in names(report, "warning")


@pytest.mark.parametrize(
    ("before", "became"),
    [
        (FeatureStats(null_share=1, is_constant=False), None),
        (FeatureStats(null_share=0.9, is_constant=False), 1),
        (FeatureStats(null_share=0.9, is_constant=True), 0),
    ],
    ids=["never_known", "known_of_some", "always_constant"],
)
def test_a_feature_becomes_constant_only_after_days_on_which_it_was_known(tmp_path, before, became):
    """Novelty is known of nobody in its warm-up, and may then be the same for everybody."""
    path = tmp_path / "user_days.parquet"
    with duckdb.connect() as con:
        con.execute(f"copy (select 0::double as new_address_count from range(200)) to '{path}'")
        table = feature_table(con, path, [{"new_address_count": before}] * 28)
    assert table.became_constant.replace(float("nan"), None).tolist() == [became]


def test_most_users_gone_is_critical_even_if_the_lake_agrees(ready):
    write_day(ready.home, DAY, "delete from today where user_id not like 'u1_'")
    write_features(ready.home, DAY)
    assert names(check(ready), "critical") == ["day.user_count"]


def test_a_closed_day_has_no_user_days_and_passes(ready):
    write_day(ready.home, DAY, "delete from today")
    write_features(ready.home, DAY + timedelta(days=0), "delete from features")
    assert not check(ready).has_failed


def test_users_are_not_named_in_what_is_said(ready):
    write_features(ready.home, DAY, CRITICAL["a_user_is_there_twice"][0])
    with pytest.raises(CheckpointFailedError) as failure:
        validate.run(Run(ready, SHOP, DAY, AS_OF), "user_days")
    assert "u7" not in str(failure.value)
    assert "u7" not in report_path(ready.home, DAY, "user_days").read_text()


def test_without_features_it_says_how_to_make_them(ready):
    with pytest.raises(InputError, match="dawnlist features --from 2026-11-19"):
        check(ready)


def test_both_checkpoints_are_one_receipt(ready):
    write_features(ready.home, DAY)
    receipt = validate.run(Run(ready, SHOP, DAY, AS_OF))
    assert list(receipt.details) == ["events", "user_days"]
    assert receipt.warnings == []
