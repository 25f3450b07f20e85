"""Guards against cases made by hand: each passes what is honest, ours too, and refuses what is not."""

from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import support
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline import features
from pipeline.context import Run
from pipeline.domain import Domain, Labels
from pipeline.evaluate import guards
from pipeline.evaluate.guards import LeakError
from pipeline.models.days import DAY_US
from pipeline.models.nn.autoencoder import BehaviourAutoencoder
from pipeline.models.nn.batch import WindowBatch
from pipeline.models.tokens.windows import MAX_EVENTS, Tokens, user_day_windows
from pipeline.settings import Settings
from pipeline.storage import snapshots

DAY, AS_OF = date(2026, 3, 10), datetime(2026, 4, 1, tzinfo=UTC)


def days(*numbers):
    return np.array(numbers, np.int32)


def test_a_test_day_may_follow_once_the_labels_of_the_last_training_day_are_known():
    guards.check_fold(days(3, 1, 2), days(12, 11), label_delay=7)
    with pytest.raises(LeakError, match="had no labels yet"):
        guards.check_fold(days(1, 2, 3), days(10, 11), label_delay=7)
    with pytest.raises(LeakError, match=r"train on days before 1970-01-04"):
        guards.check_fold(days(1, 2, 3), days(10, 11), label_delay=7)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 9))
def test_labels_of_the_training_days_are_known_before_the_first_test_day_or_the_fold_is_refused(last, first, delay):
    if last + delay < first:
        guards.check_fold(days(last), days(first), delay)
    else:
        with pytest.raises(LeakError):
            guards.check_fold(days(last), days(first), delay)


def test_training_days_after_a_test_day_are_a_shuffle():
    with pytest.raises(LeakError, match="mixed"):
        guards.check_fold(days(1, 2, 9), days(8, 10), label_delay=0)


@pytest.mark.parametrize("empty", [(days(), days(1)), (days(1), days())])
def test_an_empty_fold_is_no_fold(empty):
    with pytest.raises(LeakError, match="needs days"):
        guards.check_fold(*empty, 0)


def test_an_account_may_be_tested_up_to_the_day_it_becomes_known():
    user, known = np.array(["a", "b"]), (np.array(["a", "z"]), days(5, 1))
    guards.check_known_accounts(user, days(5, 9), *known)
    with pytest.raises(LeakError, match="1 of 2 user-days"):
        guards.check_known_accounts(user, days(6, 9), *known)


def test_of_several_times_an_account_became_known_the_first_counts():
    with pytest.raises(LeakError):
        guards.check_known_accounts(days(7), days(4), days(7, 7, 7), days(9, 3, 8))


def test_nobody_known_and_nobody_tested_are_fine():
    guards.check_known_accounts(days(1, 2), days(3, 4), days(), days())
    guards.check_known_accounts(days(), days(), days(1), days(2))


pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=12)


@given(pairs, pairs)
def test_accounts_are_refused_exactly_where_one_was_known_on_an_earlier_day(tested, known):
    leaks = any(user == other and since < day for user, day in tested for other, since in known)
    columns = [days(*(pair[i] for pair in rows)) for rows in (tested, known) for i in (0, 1)]
    if leaks:
        with pytest.raises(LeakError):
            guards.check_known_accounts(*columns)
    else:
        guards.check_known_accounts(*columns)


def stream(*rows):
    """Events of (user, days after DAY, amount), at noon."""
    at = [datetime.combine(DAY, datetime.min.time()) + timedelta(days=day, hours=12) for _, day, _ in rows]
    amounts = [float(amount) for *_, amount in rows]
    columns = {"user_id": [user for user, *_ in rows], "event_at": pa.array(at, pa.timestamp("us")), "amount": amounts}
    return pa.table(columns)


def build(sql):
    """User-days by a query over `events` and `labels`."""

    def user_days(events, labels):
        with duckdb.connect() as con:
            con.register("events", events)
            con.register("labels", labels)
            return con.sql(sql).to_arrow_table()

    return user_days


DAILY = "select user_id, event_at::date as event_day, {} as x from events group by user_id, event_day"
NO_LABELS = pa.table({"user_id": pa.array([], pa.string()), "known_at": pa.array([], pa.timestamp("us"))})


def test_a_day_by_itself_does_not_depend_on_later_ones():
    events = stream(("a", 0, 1), ("b", 0, 5), ("a", 1, 100))
    guards.check_later_events(build(DAILY.format("sum(amount)")), events, NO_LABELS, [DAY])
    unknown = build(DAILY.format("case when max(amount) > 4 then null else 'nan'::double end"))
    guards.check_later_events(unknown, events, NO_LABELS, [DAY])


@pytest.mark.parametrize(
    "future",
    [
        "any_value((select median(amount) from events))",
        "any_value((select stddev_pop(amount) from events))",
        "lead(max(amount)) over (partition by user_id order by event_day)",
        "avg(max(amount)) over (order by event_day rows between 1 preceding and 3 following)",
        "percent_rank() over (order by max(amount))",
        "max((select max(user_id) from events where amount > 50))",
    ],
)
def test_anything_from_later_days_is_refused_and_the_feature_is_named(future):
    events = stream(("a", 0, 1), ("b", 0, 5), ("a", 1, 100), ("b", 1, 2))
    with pytest.raises(LeakError, match=r"x: other values in [12] of 2 user-days"):
        guards.check_later_events(build(DAILY.format(future)), events, NO_LABELS, [DAY])


def test_users_chosen_by_what_they_do_later_are_refused():
    only_regulars = build(
        DAILY.format("1") + " having user_id in (select user_id from events group by 1 having count(*) > 1)"
    )
    with pytest.raises(LeakError, match="which user-days there are"):
        guards.check_later_events(only_regulars, stream(("a", 0, 1), ("a", 1, 1)), NO_LABELS, [DAY])


def test_labels_count_from_the_day_they_are_known():
    events = stream(("a", 0, 1), ("b", 1, 1))
    known_at = pa.array([datetime.combine(DAY, datetime.min.time()) + timedelta(hours=36)], pa.timestamp("us"))
    labels = pa.table({"user_id": ["a"], "known_at": known_at})
    by_then = "(select count(*) from labels where known_at::date <= event_at::date)"
    guards.check_later_labels(build(DAILY.format(f"max({by_then})")), events, labels, [DAY, DAY + timedelta(days=1)])
    with pytest.raises(LeakError, match="labels that were not known"):
        guards.check_later_labels(build(DAILY.format("max((select count(*) from labels))")), events, labels, [DAY])


def made_by_dbt(home, domain, rows):
    """User-days of what `rows` still holds, built by the features step."""

    def user_days(events, labels):
        folder = home / f"{len(events)}-{len(labels)}"
        if not folder.exists():
            support.write_events(folder, [rows[i] for i in events["row"].to_pylist()])
            support.write_labels(folder, labels.to_pylist())
            features.run(Run(Settings(home=folder), domain, DAY, AS_OF))
        path = snapshots.newest(folder, "user_days", DAY, AS_OF).path(folder)
        with duckdb.connect() as con:
            return con.sql(f"from read_parquet('{path}', hive_partitioning = false)").to_arrow_table()

    return user_days


@pytest.mark.slow
def test_the_features_step_passes_both(tmp_path):
    random = np.random.default_rng(3)
    rows = []
    for number in range(160):
        at = support.moment(DAY, float(random.uniform(-15 * 24, 3 * 24)))
        seller, device = f"s{random.integers(4)}", f"d{random.integers(9)}"
        user, amount = f"u{random.integers(6)}", round(float(random.lognormal(3)), 2)
        rows.append(support.purchase(user, at, amount, f"e{number}", counterparty_id=seller, device_id=device))
    labelled = [rows[i] for i in random.integers(0, len(rows), 40)]
    labels = [
        support.label(r["user_id"], r["event_at"], r["event_at"] + timedelta(days=4), r["event_id"]) for r in labelled
    ]
    domain = Domain(
        name="shop", currency="EUR", timezone="UTC", event_types={"purchase": "purchase"}, labels=Labels(delay_days=4)
    )
    at = pa.array([row["event_at"] for row in rows], pa.timestamp("us"))
    events, build_features = pa.table({"row": range(len(rows)), "event_at": at}), made_by_dbt(tmp_path, domain, rows)
    guards.check_later_events(build_features, events, pa.Table.from_pylist(labels), [DAY])
    guards.check_later_labels(build_features, events, pa.Table.from_pylist(labels), [DAY])


def test_length_alone_at_chance_passes_and_beyond_it_is_refused():
    random = np.random.default_rng(0)
    reach, is_bad = random.integers(3, 30, 3000), random.random(3000) < 0.1
    length = np.minimum(reach, 20)
    guards.check_length(length, reach, is_bad)
    guards.check_length(length - random.integers(0, 3, 3000), reach, is_bad)
    with pytest.raises(LeakError, match="length of a window tells"):
        guards.check_length(np.where(is_bad, length - random.integers(0, 2, 3000), length), reach, is_bad)


def test_bad_accounts_may_be_busier():
    random = np.random.default_rng(1)
    is_bad = random.random(2000) < 0.2
    reach = random.poisson(np.where(is_bad, 40, 10))
    assert roc_auc_score(is_bad, reach) > 0.95
    guards.check_length(reach, reach, is_bad)


def test_the_auc_of_length_is_scikit_learns_where_all_have_as_much_in_reach():
    random = np.random.default_rng(2)
    is_bad = random.random(400) < 0.3
    length = random.integers(1, 9, 400) + 2 * is_bad
    with pytest.raises(LeakError, match=f"AUC {roc_auc_score(is_bad, length):.3f}"):
        guards.check_length(length, np.full(400, 9), is_bad)


def test_chance_is_refused_about_never():
    random = np.random.default_rng(4)
    for _ in range(300):
        guards.check_length(random.integers(1, 9, 80), random.integers(8, 11, 80), random.random(80) < 0.2)


def test_our_windows_pass_whatever_the_label():
    random = np.random.default_rng(5)
    per_user = random.integers(1, 300, 50)
    user = np.repeat(np.arange(50, dtype=np.int32), per_user)
    at = np.concatenate([np.sort(random.integers(20_500 * DAY_US, 20_560 * DAY_US, n)) for n in per_user])
    tokens = Tokens(
        pa.array([str(i) for i in range(50)]), user, at, np.zeros((len(at), 0), np.uint8), np.zeros((len(at), 0))
    )
    windows = user_day_windows(tokens, date(2026, 3, 1), date(2026, 4, 1))
    from_day, upto = (windows.day.astype(np.int64) - 27) * DAY_US, (windows.day.astype(np.int64) + 1) * DAY_US
    reach = [
        int(((user == u) & (at >= a) & (at < b)).sum()) for u, a, b in zip(windows.user, from_day, upto, strict=True)
    ]
    guards.check_length(windows.length, np.array(reach), windows.user % 5 == 0)
    assert (windows.length == np.minimum(reach, MAX_EVENTS)).all()


def padded(width=12):
    random = np.random.default_rng(6)
    length = random.integers(1, width + 1, 20)
    values = random.normal(size=(20, width, 2)).astype(np.float32)
    values[np.arange(width) >= length[:, None]] = 0
    return values, length


def test_a_mean_over_events_alone_passes():
    def masked(values, length):
        is_event = np.arange(values.shape[1]) < length[:, None]
        return (values.sum(axis=2) * is_event).sum(axis=1) / length

    guards.check_padding(masked, *padded())


@pytest.mark.parametrize(
    "score",
    [
        lambda values, length: values.mean(axis=(1, 2)),
        lambda values, length: values.max(axis=(1, 2)),
        lambda values, length: values[:, -1].sum(axis=1),
        lambda values, length: values[:, :12].sum(axis=(1, 2)),  # a fixed width hides how wide the padding is
        lambda values, length: (values[:, :, 0] == 0).mean(axis=1),  # the share of padding
        lambda values, length: values.sum(axis=(1, 2)) / len(values[0]) * np.nan,
    ],
)
def test_reading_the_padding_is_refused(score):
    with pytest.raises(LeakError, match="padding"):
        guards.check_padding(score, *padded())


def test_the_autoencoder_passes_and_an_lstm_read_at_its_last_step_does_not():
    torch.manual_seed(0)
    ours, lstm = BehaviourAutoencoder((3,), 2).eval(), torch.nn.LSTM(2, 4, batch_first=True)

    def code(values, length):
        codes = torch.zeros((*values.shape[:2], 1), dtype=torch.long)
        with torch.no_grad():
            lengths = torch.from_numpy(length)
            found = ours.encode(WindowBatch(codes, torch.from_numpy(values), lengths, lengths))
        return found.sum(dim=1).double().numpy()

    def last_step(values, length):
        with torch.no_grad():
            return lstm(torch.from_numpy(values))[0][:, -1].sum(dim=1).double().numpy()

    guards.check_padding(code, *padded())
    with pytest.raises(LeakError):
        guards.check_padding(last_step, *padded())
