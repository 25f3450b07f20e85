"""How fast user-days are scored, beside the bare network on the same windows.

    python benchmarks/sequence_speed.py [--users 250000] [--threads 2] [--train]

It makes tokens of 28 days for users who are active on the last one, about 60 events per window, and writes them as
snapshots. It times loading, scoring, and the network's forward pass alone on a sample of batches in memory. `--train`
also trains, and scores with the result.
"""

import argparse
import json
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import torch

from pipeline.models.nn.autoencoder import AutoencoderPlan, BehaviourAutoencoder, train_autoencoder
from pipeline.models.nn.batch import WindowBatch, read_batch
from pipeline.models.nn.training import one_thread_each
from pipeline.models.surprise import score_windows
from pipeline.models.tokens.fitting import fit_fields
from pipeline.models.tokens.reading import distinct_users, load_tokens
from pipeline.models.tokens.windows import Sequences, batches, user_day_windows, window_days

LAST = date(2026, 1, 28)
CATEGORICAL = ("event_type", "category", "channel", "local_hour", "is_new_device", "is_new_network", "is_new_payment")
NUMERIC = ("amount", "gap_seconds")


def invent(con: duckdb.DuckDBPyConnection, folder: Path, users: int, others: int) -> list[Path]:
    """Write 28 days: `users` active on the last day, `others` not. Activity differs a lot between users."""
    paths = []
    for i, day in enumerate(window_days(LAST)):
        path = folder / f"day={day}" / "invented.parquet"
        path.parent.mkdir(parents=True)
        con.execute(
            f"""copy (
                with visits as (
                    select 'user-' || lpad(u::varchar, 8, '0') as user_id, u,
                        1 + (hash(u, {i}, 'n') % (1 + hash(u, 'busy') % 23))::int as n
                    from range({users + others}) t(u)
                    where (u < {users} and {day == LAST}) or hash(u, {i}) % 100 < 31
                ),
                events as (select user_id, u, unnest(range(n)) as k, hash(u, {i}, k) as h from visits)
                select user_id, md5(user_id || {i} || k) as event_id,
                    timestamp '{day} 08:00:00' + interval (k * 97 + h % 50) second as event_at,
                    ['browse', 'search', 'cart', 'purchase', 'login'][1 + (h % 5)::int] as event_type,
                    'category ' || (hash(u) + h % 3) % 40 as category,
                    ['web', 'app'][1 + (u % 2)::int] as channel,
                    (8 + k // 37)::varchar as local_hour,
                    if(h % 50 = 0, 'yes', 'no') as is_new_device,
                    if(h % 60 = 0, 'yes', 'no') as is_new_network,
                    if(h % 70 = 0, 'yes', 'no') as is_new_payment,
                    (5 + hash(u) % 40 + h % 7)::double as amount
                from events order by user_id, event_at, event_id
            ) to '{path}'"""
        )
        paths.append(path)
    return paths


def bare(model: BehaviourAutoencoder, ready: list[WindowBatch], threads: int) -> float:
    """Seconds for the forward passes alone."""

    def forward(batch: WindowBatch) -> None:
        with torch.inference_mode():
            model(batch)

    with one_thread_each(threads) as pool:
        list(pool.map(forward, ready[:4]))
        began = time.perf_counter()
        list(pool.map(forward, ready))
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=250_000, help="active on the last day")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--train", action="store_true")
    options = parser.parse_args()
    con = duckdb.connect(config={"threads": options.threads, "memory_limit": "2GB"})
    with tempfile.TemporaryDirectory() as folder:
        paths = invent(con, Path(folder), options.users, options.users)
        result: dict[str, float] = {}
        began = time.perf_counter()
        active = distinct_users(con, paths[-1:])
        sample = distinct_users(con, paths[-1:], at_most=20_000)
        fields = fit_fields(con, paths, CATEGORICAL, NUMERIC, sample)
        result["fit_fields_s"] = time.perf_counter() - began
        began = time.perf_counter()
        tokens = load_tokens(con, paths, fields, active)
        result["load_s"] = time.perf_counter() - began
        began = time.perf_counter()
        windows = user_day_windows(tokens, LAST, LAST)
        sequences = Sequences(tokens, fields, windows)
        result["windows_s"] = time.perf_counter() - began
        torch.manual_seed(0)
        model = BehaviourAutoencoder(fields.sizes, len(fields.numeric)).eval()
        if options.train:
            earlier = user_day_windows(tokens, LAST - timedelta(20), LAST - timedelta(4))
            later = user_day_windows(tokens, LAST - timedelta(3), LAST - timedelta(1))
            began = time.perf_counter()
            plan = AutoencoderPlan(threads=options.threads, progress=True)
            trained = train_autoencoder(Sequences(tokens, fields, earlier), Sequences(tokens, fields, later), plan)
            result |= {"train_s": time.perf_counter() - began, "train_epochs": len(trained.later_nats)}
            model = trained.model
        groups = list(batches(windows, 8192))
        chosen = groups[:: max(len(groups) // 150, 1)]
        ready = [read_batch(sequences.take(group)) for group in chosen]
        part = sequences.take(np.concatenate(chosen))
        pairs = []
        for _ in range(3):  # side by side, because a shared machine's speed drifts
            seconds = bare(model, ready, options.threads)
            began = time.perf_counter()
            score_windows([model], part, options.threads)
            pairs.append((seconds, time.perf_counter() - began))
        bare_s, scored_s = min(pairs, key=sum)
        began = time.perf_counter()
        score_windows([model], sequences, options.threads)
        result |= {
            "tokens": len(tokens),
            "windows": len(windows),
            "events_per_window": float(windows.length.mean()),
            "score_all_s": time.perf_counter() - began,
            "bare_events_per_s": int(part.windows.length.sum()) / bare_s,
            "scored_events_per_s": int(part.windows.length.sum()) / scored_s,
            "share_of_bare_throughput": bare_s / scored_s,
            "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
    print(json.dumps({name: round(value, 3) for name, value in result.items()}, indent=1))


if __name__ == "__main__":
    main()
