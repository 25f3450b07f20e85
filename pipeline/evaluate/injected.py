"""Experiments on real events without labels: we inject anomalies that we know to be wrong, and say so."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console

from pipeline import daily
from pipeline.domain import Domain
from pipeline.errors import InputError
from pipeline.evaluate.contender_summary import EvaluationSet
from pipeline.evaluate.contenders import SURPRISE
from pipeline.evaluate.experiment import EVERYBODY
from pipeline.evaluate.mornings import morning_after
from pipeline.evaluate.protocol import Protocol
from pipeline.evaluate.report.content import EvaluationReport, Extras
from pipeline.evaluate.summary import Summary
from pipeline.metrics.baselines import BASELINE
from pipeline.metrics.scored_labels import ScoredLabels
from pipeline.models import bundle as bundles
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.days import places_of, user_day_key
from pipeline.models.labels import SPELLS
from pipeline.models.samples import Samples
from pipeline.models.tokens.windows import window_days
from pipeline.settings import Settings
from pipeline.sql import parquet
from pipeline.storage import snapshots
from pipeline.train.loading import AccountSample, Sources, load_samples
from pipeline.train.splits import split_days
from pipeline.train.walk_forward import FitOptions, fit_base_model
from pipeline.warehouse import connect

PER_KIND = 25  # user-days
SEED = 11
NOTE = (
    "the anomalies were injected by us. Only these count as bad: a real oddity on the list counts as a mistake, and a "
    "list that finds them may miss real ones"
)
# Each adds real lines, changed, to a real customer's day.
INJECTED = {
    "somebody else's basket": """
        select other.* replace (victim.customer_id as customer_id,
            victim.day + (other.invoice_at - date_trunc('day', other.invoice_at)) as invoice_at)
        from chosen victim join lines other on other.invoice_no = victim.other_invoice""",
    "fifty times the usual pieces": """
        select lines.* replace (lines.quantity * 50 as quantity, lines.invoice_no || '7' as invoice_no)
        from chosen victim join lines on lines.customer_id = victim.customer_id
            and date_trunc('day', lines.invoice_at) = victim.day and lines.quantity > 0""",
    "a spree of cancellations": """
        select other.* replace ('C' || other.invoice_no as invoice_no, -abs(other.quantity) as quantity,
            victim.customer_id as customer_id, victim.day + interval 15 hour as invoice_at)
        from chosen victim join lines other on other.invoice_no = victim.other_invoice and other.quantity > 0""",
    "a burst at night": """
        select other.* replace (victim.customer_id as customer_id, victim.invoice_no || '9' as invoice_no,
            victim.day + interval 3 hour + interval 1 minute
                * (row_number() over (partition by victim.customer_id order by other.stock_code) % 40) as invoice_at)
        from chosen victim join lines other on other.invoice_no = victim.other_invoice""",
}
LINES = "create temp table lines as select * from {file} where customer_id is not null"
CHOSEN = """
    create or replace temp table chosen as
    with days as (
        select customer_id, date_trunc('day', invoice_at) as day, min(invoice_no) as invoice_no
        from lines where invoice_at >= $first and invoice_at < $after and quantity > 0 group by all
    ),
    baskets as (
        select invoice_no as other_invoice, customer_id as other_customer from lines
        where invoice_at < $first and quantity > 0 group by all having count(*) between 15 and 60
    ),
    numbered as (select *, row_number() over (order by md5(customer_id || day::varchar || $salt)) as n from days),
    dealt as (select *, row_number() over (order by md5(other_invoice || $salt)) as n from baskets)
    select * from numbered join dealt using (n) where n <= $many and customer_id <> other_customer
"""


def run_injected(
    protocol: Protocol, data: Path | None, home: Path, base_models: Sequence[str], console: Console
) -> EvaluationReport:
    """Unsupervised contenders on days with injected anomalies. They learn from days without any."""
    assert protocol.until is not None and protocol.test is not None
    if data is None or not (file := data / protocol.events[0]).is_file():
        raise InputError(f"protocol {protocol.name} needs {protocol.events[0]}", fix="name its folder with --data")
    as_of = morning_after(protocol.test[1])
    given = {"home": home, "domain": protocol.domain, "as_of": as_of, "now": as_of}
    home.mkdir(parents=True, exist_ok=True)
    added, injected = inject(file, protocol.test, home.parent / "injected.parquet")
    with console.status("building, and training the product"):
        daily.ingest_events(given, events=[file, added], history=True)
        first = daily.open_run(given | {"day": protocol.until}).first_training_day
        daily.build_features(given | {"day": protocol.test[1]}, first)
        bundle_id = daily.train_challenger(given | {"day": protocol.until})["details"]["bundle"]
    settings = Settings.load(home=home, domain=protocol.domain)
    training, test = _samples(protocol, settings, first, as_of)
    bundle = bundles.load(home, bundle_id, settings.threads)
    surprise = bundle.unlabelled.surprise(test, settings.threads)
    scores = {f"{BASELINE}{name}": test.column(name) for name in protocol.baselines}
    scores[SURPRISE] = bundle.unlabelled.percentile(surprise, test)
    for name in base_models:
        with console.status(f"base model {name}: {BASE_MODELS[name].about}"):
            options = FitOptions(settings.seed, settings.threads)
            scores[name] = fit_base_model(BASE_MODELS[name], training, options).score(test)
    labels = _labels(test, training, injected).with_scores(scores)
    baseline = f"{BASELINE}{protocol.baselines[0]}"
    pairs = [(name, baseline) for name in (SURPRISE, *base_models)]
    shown = protocol.model_dump(mode="json") | {"bundle": bundle_id}
    summary = Summary(protocol.title, shown, pairs, extras=Extras(notes=[NOTE, *protocol.notes]))
    return summary.report(EvaluationSet(labels, protocol.reviews))


def inject(file: Path, days: tuple[date, date], out: Path) -> tuple[Path, pa.Table]:
    """Write invoice lines to `out`, to be delivered beside `file`. Returns it, and the user-days with such lines."""
    parts, user_days = [], []
    first = datetime.combine(days[0], datetime.min.time())
    after = datetime.combine(days[1] + timedelta(days=1), datetime.min.time())
    with duckdb.connect() as con:
        con.execute("set enable_progress_bar = false; set threads = 1")
        con.execute(LINES.format(file=parquet([file])))
        for place, (kind, sql) in enumerate(INJECTED.items()):
            salt = f"{SEED}|{place}"
            con.execute(CHOSEN, {"first": first, "after": after, "salt": salt, "many": PER_KIND})
            rows = con.sql(f"from ({sql}) order by all").to_arrow_table()
            parts.append(rows)
            user, day = rows["customer_id"].cast(pa.string()), rows["invoice_at"].cast(pa.date32())
            user_days.append(pa.table({"user_id": user, "day": day, "kind": pa.array([kind] * len(rows))}))
    pq.write_table(pa.concat_tables(parts), out)
    return out, pa.concat_tables(user_days).group_by(["user_id", "day"]).aggregate([("kind", "min")])


def _samples(protocol: Protocol, settings: Settings, first: date, as_of: datetime) -> tuple[Samples, Samples]:
    """Training days and test days, without labels."""
    assert protocol.until is not None and protocol.test is not None
    user_days = snapshots.paths(settings.home, "user_days", first, protocol.test[1], as_of)
    tokens = snapshots.paths(settings.home, "event_tokens", window_days(first)[0], protocol.test[1], as_of)
    days = [day for day in user_days if day <= protocol.until]
    split = split_days(days, protocol.until, 0, [], settings.min_bad_labels)
    sources, everybody = (
        Sources(user_days, tokens, SPELLS.empty_table()),
        AccountSample(settings.seed, EVERYBODY),
    )
    with connect(settings) as con:
        everything = load_samples(con, Domain.load(protocol.domain), sources, split.last, everybody)
    return everything.between(first, protocol.until), everything.between(*protocol.test)


def _labels(test: Samples, training: Samples, injected: pa.Table) -> ScoredLabels:
    user = pc.index_in(injected["user_id"], value_set=test.tokens.users).fill_null(-1).to_numpy()
    row = places_of(test.windows.key, user_day_key(user, injected["day"].cast(pa.int32()).to_numpy()))
    is_bad = row >= 0
    typology: np.ndarray = np.full(len(row), None, object)
    typology[is_bad] = injected["kind_min"].to_numpy()[row[is_bad]]
    first_bad = np.full(len(test.tokens.users), np.inf)
    np.minimum.at(first_bad, test.windows.user[is_bad], test.windows.day[is_bad] * 24.0)
    first_bad[np.isinf(first_bad)] = np.nan
    return ScoredLabels(
        user=test.windows.user,
        day=test.windows.day,
        is_bad=is_bad,
        typology=typology,
        is_new=~np.isin(test.windows.user, np.unique(training.windows.user)),
        first_bad_at=first_bad[test.windows.user],
        scores={},
    )
