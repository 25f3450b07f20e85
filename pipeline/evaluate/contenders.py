"""Who is judged: floors, each arm alone, each arm beside the features, and the product as it is shipped."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow.compute as pc

from pipeline.arrays import Doubles
from pipeline.errors import InputError
from pipeline.evaluate.bounds import best_single_feature
from pipeline.evaluate.trial import Trial
from pipeline.models import bundle as bundles
from pipeline.models import stacker
from pipeline.models.base import column_of
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.bundle import Bundle
from pipeline.models.days import places_of, user_day_key
from pipeline.models.samples import Samples
from pipeline.models.scoring import score_days
from pipeline.models.surprise import learned_columns, score_windows
from pipeline.models.tokens.windows import Sequences
from pipeline.train.forward import forward_column, known_since
from pipeline.train.stacking import Plan, Table, fit_booster

FEATURES = "XGBoost, features"
PRODUCT = "Dawnlist"
MAX_LEARNED = 30_000  # user-days learned from that an arm scores again, to show the gap to later ones
OLDER = "Dawnlist, trained a week earlier"
SURPRISE = "Dawnlist's surprise, no labels"
SHUFFLED = "XGBoost, labels shuffled"
DEALS = 8  # of labels at random: that all end on one side of chance is one case in 128
PLACEBOS = 8  # columns of random numbers


@dataclass
class Field:
    """Scores of the test by contender, and of the days learned from where a gap between the two is to be shown."""

    scores: dict[str, Doubles] = field(default_factory=dict)
    learned: dict[str, tuple[Samples, Doubles]] = field(default_factory=dict)
    shuffled: list[Doubles] = field(default_factory=list)  # scores of the test, learned from labels dealt out at random
    placebos: list[Doubles] = field(default_factory=list)  # scores of the test, learned with random numbers as an arm
    fell_out: dict[str, str] = field(default_factory=dict)  # contenders that could not be fitted, and why


def with_arm(arm: str) -> str:
    """The name of the stacker over the features and one arm."""
    return f"{FEATURES} + {arm}"


def floors(trial: Trial) -> Iterator[tuple[str, Doubles]]:
    """Single features of the protocol, and the one that did best on the days learned from, in its better direction."""
    test, seen = trial.test, trial.seen
    for name in trial.protocol.floors:
        yield f"floor: {name}", test.column(name)
    name, sign = best_single_feature(seen, trial.settings.seed)
    yield f"floor: best single feature ({'most' if sign > 0 else 'least'} {name})", sign * test.column(name)


def fit_and_score(seen: Samples, learn: Table, plan: Plan, *scored: Table) -> list[Doubles]:
    """The stacker over the columns of `learn`, fitted on all of `seen`: scores of each table."""
    booster = fit_booster(seen, learn, plan, np.ones(len(seen), np.bool_))
    columns = list(learn)
    return [stacker.predict(booster, columns, np.column_stack([one[name] for name in columns])) for one in scored]


def tabular(trial: Trial, plan: Plan, found: Field) -> None:
    """XGBoost over the features alone; and several times with labels shuffled, which must end at chance."""
    seen = trial.seen
    learn, test = seen.features(), trial.test.features(seen)
    found.scores[FEATURES], learned = fit_and_score(seen, learn, plan, test, learn)
    found.learned[FEATURES] = (seen, learned)
    for deal in range(DEALS):
        rows = np.random.default_rng([plan.seed, deal]).permutation(len(seen))
        mixed = replace(seen, is_bad=seen.is_bad[rows], weight=seen.weight[rows])
        found.shuffled += fit_and_score(mixed, learn, plan, test)


def placebos(trial: Trial, plan: Plan, found: Field) -> None:
    """Columns of random numbers beside the features, as an arm's: what they add is accident of training."""
    seen = trial.seen
    learn, test = seen.features(), trial.test.features(seen)
    for column in range(PLACEBOS):
        random, mine = np.random.default_rng([plan.seed, column]), column_of("random_numbers")
        forward = np.where(seen.windows.day >= trial.since, random.normal(size=len(seen)), np.nan)
        said = random.normal(size=len(trial.test))
        found.placebos += fit_and_score(seen, {**learn, mine: forward}, plan, {**test, mine: said})


def arms(trial: Trial, names: tuple[str, ...], plan: Plan, found: Field) -> Iterator[str]:
    """Each arm by itself, and as one more column of the stacker, which reads only what it said forward in time."""
    seen, test = trial.seen, trial.test
    learn, judged = seen.features(), test.features(seen)
    for name in names:
        yield name
        try:
            forward, _, scorer = forward_column(BASE_MODELS[name], seen, trial.since, plan.seed, plan.threads, False)
        except InputError as error:
            found.fell_out[name] = str(error)
            continue
        found.scores[name] = scorer.score(test, plan.threads)
        some = seen.take(np.arange(0, len(seen), max(1, len(seen) // MAX_LEARNED)))
        found.learned[name] = (some, scorer.score(some, plan.threads))
        mine = column_of(name)
        (found.scores[with_arm(name)],) = fit_and_score(
            seen, {**learn, mine: forward}, plan, {**judged, mine: found.scores[name]}
        )


def autoencoder_in_full(trial: Trial, plan: Plan, found: Field) -> None:
    """The stacker over the features and all the autoencoder says: surprise by field, the worst event, the code.

    The bundle's own autoencoder, which says nothing of the days it has learned from.
    """
    bundle, seen = load_bundle(trial, trial.bundle), trial.seen
    if bundle.fields != seen.fields:
        raise InputError("the bundle has read a sample of the accounts, and knows other words than are judged here")
    is_after = seen.windows.day >= trial.since
    after, test = (
        learned_columns(score_windows(bundle.autoencoder, sequences, plan.threads), bundle.fields)
        for sequences in (seen.sequences.take(is_after), Sequences(seen.tokens, seen.fields, trial.test.windows))
    )
    (found.scores[f"{FEATURES} + surprise and code"],) = fit_and_score(
        seen, {**seen.features(), **known_since(after, is_after)}, plan, {**trial.test.features(seen), **test}
    )


def product(trial: Trial, bundle: str) -> dict[str, Doubles]:
    """A bundle as it scores each day: its risk, which is a chance of being bad, and its surprise."""
    assert trial.protocol.test is not None and trial.protocol.until is not None
    test, loaded = trial.test, load_bundle(trial, bundle)
    seen = score_days(trial.settings, loaded, *trial.protocol.test, trial.protocol.until, trial.as_of)
    user = pc.index_in(seen.user_id, value_set=test.tokens.users).to_numpy()
    rows = places_of(test.windows.key, user_day_key(user, seen.day))
    return {PRODUCT: seen.risk[rows], SURPRISE: seen.surprise[rows]}


def load_bundle(trial: Trial, bundle: str) -> Bundle:
    return bundles.load(trial.settings.home, bundle, trial.settings.threads)


def plan_of(trial: Trial) -> Plan:
    """As the product's stacker is fitted."""
    settings = trial.settings
    return Plan(trial.protocol.reviews, settings.seed, settings.threads, trial.domain.monotone_signs)
