"""Which reviewed accounts say something about how much is reported, on some day."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support

from pipeline import feedback
from pipeline.context import Run
from pipeline.domain import Domain, Labels
from pipeline.settings import Settings
from pipeline.train.reported import reported_by

DAY = date(2026, 5, 4)
SHOP = Domain(
    name="shop",
    currency="EUR",
    event_types={"browse": "browse"},
    labels=Labels(delay_days=10, reported=0.5),
)
LISTED = {"ann": 1.0, "bob": 1.0, "cat": 1.0, "dan": 0.1, "eve": 0.1}
HEADER = "day,user_id,verdict,decided_at,since"


def publish(home, propensities, as_of="2026-05-05T04:00:00+00:00"):
    """A revision of the day's list."""
    folder = home / "lists" / "revisions" / f"day={DAY}" / as_of[:10]
    folder.mkdir(parents=True)
    rows = [
        {"day": DAY, "user_id": user, "propensity": share, "picked_by": "audit" if share < 1 else "risk", "risk": 0.5}
        for user, share in propensities.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "risk_list.parquet")
    (folder / "manifest.json").write_text(json.dumps({"as_of": as_of}))


@pytest.fixture
def home(tmp_path):
    """A list with three picked accounts and two that were drawn, and what they all did for a week."""
    home = tmp_path / "home"
    publish(home, LISTED)
    days = [support.moment(DAY - timedelta(days=back)) for back in range(7)]
    support.write_events(home, [support.event(user, at, "e") for user in LISTED for at in days])
    return home


def judge(home, *rows, decided="2026-05-05T12:00:00Z", now=datetime(2026, 5, 6, tzinfo=UTC)):
    path = home.parent / f"{len(rows)}{decided[:10]}.csv"
    path.write_text("\n".join([HEADER, *(f"{DAY},{user},{word},{decided},{since}" for user, word, since in rows), ""]))
    feedback.run(Settings(home=home, now=now), SHOP, path)


def in_parts(home, until=DAY + timedelta(days=10), domain=SHOP):
    return reported_by(Run(Settings(home=home), domain, until, datetime(2026, 7, 1, tzinfo=UTC)))


def estimate(home, until=DAY + timedelta(days=10)):
    return in_parts(home, until).pooled


def report(user, back=0, known=3, **values):
    at = support.moment(DAY - timedelta(days=back))
    return support.label(user, at, at + timedelta(days=known), "e", **values)


def test_without_verdicts_it_is_the_packs_assumption(home):
    support.write_labels(home, [report("ann")])
    assert (estimate(home).share, estimate(home).reviewed) == (0.5, 0)


def test_confirmed_accounts_are_asked_whether_they_were_reported_and_drawn_ones_stand_for_many(home):
    judge(home, ("ann", "confirmed", ""), ("bob", "confirmed", ""), ("cat", "dismissed", ""), ("dan", "confirmed", ""))
    support.write_labels(home, [report("ann"), report("bob"), report("cat")])
    found = estimate(home)
    assert (found.reviewed, found.audited) == (3, 1)
    effective = 12**2 / (1 + 1 + 100)  # ann and bob are one account each, dan is ten, and was not reported
    assert found.share == pytest.approx((20 * 0.5 + effective * 2 / 12) / (20 + effective))


def test_where_reviewers_err_a_confirmed_account_that_nobody_reported_is_bad_by_its_risk(home):
    judge(home, ("ann", "confirmed", ""), ("dan", "confirmed", ""))
    support.write_labels(home, [report("ann")])
    erring = SHOP.model_copy(update={"labels": Labels(delay_days=10, reported=0.5, review_error=0.1)})
    found = in_parts(home, domain=erring).pooled
    right = 0.5 * 0.9 * (1 - found.share)
    right /= right + 0.5 * 0.1  # dan, of risk 0.5, was missed or misjudged
    share, effective = 1 / (1 + 10 * right), (1 + 10 * right) ** 2 / (1 + 100 * right)
    assert found.share == pytest.approx((20 * 0.5 + effective * share) / (20 + effective), abs=1e-5)


@pytest.mark.parametrize(
    ("label", "is_reported"),
    [
        ({}, True),
        ({"back": 3}, True),  # within what was confirmed
        ({"back": 6}, False),
        ({"known": 11}, False),  # not yet
        ({"is_bad": False}, False),
        ({"source": "verdict"}, False),
    ],
)
def test_a_report_counts_if_it_was_known_and_is_about_what_was_confirmed(home, label, is_reported):
    judge(home, ("ann", "confirmed", str(DAY - timedelta(days=4))))
    support.write_labels(home, [report("ann", **label)])
    assert estimate(home).share == pytest.approx((10 + is_reported) / 21)


def test_the_list_that_was_published_first_says_how_an_account_came_on_it(home):
    judge(home, ("ann", "confirmed", ""), ("dan", "confirmed", ""))
    support.write_labels(home, [report("ann")])
    before = estimate(home)
    publish(home, dict.fromkeys(LISTED, 1.0), as_of="2026-05-07T04:00:00+00:00")
    assert estimate(home) == before and before.audited == 1


def test_an_unsure_verdict_or_one_about_a_single_event_takes_no_confirmation_back(home):
    judge(home, ("ann", "confirmed", "2026-05-03"))
    path = home.parent / "later.csv"
    rows = [f"{DAY},ann,unsure,2026-05-05T15:00:00Z,,", f"{DAY},ann,dismissed,2026-05-05T16:00:00Z,event,e"]
    path.write_text("\n".join(["day,user_id,verdict,decided_at,scope,event_id", *rows, ""]))
    feedback.run(Settings(home=home, now=datetime(2026, 5, 6, tzinfo=UTC)), SHOP, path)
    assert estimate(home).reviewed == 1


def test_young_lists_later_verdicts_and_earlier_ones_of_the_same_day_do_not_count(home):
    judge(home, ("ann", "confirmed", ""))
    support.write_labels(home, [report("bob")])
    assert estimate(home, until=DAY + timedelta(days=9)).reviewed == 0, "its reports may still come"
    assert estimate(home).reviewed == 1
    judge(home, ("ann", "dismissed", ""), decided="2026-05-16T12:00:00Z", now=datetime(2026, 5, 17, tzinfo=UTC))
    assert estimate(home).reviewed == 1, "was not known then"
    assert estimate(home, until=DAY + timedelta(days=12)).reviewed == 0


def test_typologies_are_those_of_verdicts_and_sources_those_of_reports(home):
    path = home.parent / "verdicts.csv"
    kinds = {"ann": "x", "bob": "y", "cat": ""}
    rows = [f"{DAY},{user},confirmed,2026-05-05T12:00:00Z,{kind}" for user, kind in kinds.items()]
    path.write_text("\n".join(["day,user_id,verdict,decided_at,typology", *rows, ""]))
    feedback.run(Settings(home=home, now=datetime(2026, 5, 6, tzinfo=UTC)), SHOP, path)
    named = [report("ann", source="takedown"), report("ann", source="chargeback"), report("bob", source=None)]
    support.write_labels(home, [*named, report("dan", source="complaint")])
    found = in_parts(home)
    assert {kind: share.reviewed for kind, share in found.by_typology.items()} == {"x": 1, "y": 1}
    assert {source: share.share for source, share in found.by_source.items()} == dict.fromkeys(
        ("chargeback", "takedown", "unnamed"), pytest.approx(1.5 / 4)
    )
    assert found.pooled.share == pytest.approx((10 + 2) / 23)


def test_pairs_of_sources_are_compared_by_the_accounts_that_both_name_on_matured_days(home):
    def named(source, accounts, **values):
        return [report(f"user{n}", source=source, **values) for n in accounts]

    support.write_labels(
        home,
        [
            *named("chargeback", range(20)),
            *named("takedown", range(10, 40)),
            *named("verdict", range(40)),
            *named("complaint", range(6)),
            *named("chargeback", range(30, 40), back=-1),  # that day has not matured
        ],
    )
    [pair] = in_parts(home).between_sources
    counts = pair.named_by_first, pair.named_by_second, pair.both
    assert (pair.first, pair.second, *counts) == ("chargeback", "takedown", 20, 30, 10)
    assert pair.in_all == pytest.approx(21 * 31 / 11 - 1)
    assert in_parts(home).to_dict()["between_sources"][0]["share"] == round(40 / pair.in_all, 4)
