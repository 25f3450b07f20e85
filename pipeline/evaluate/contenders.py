"""The contenders: baselines, each base model alone, each beside the features, and the product itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow.compute as pc

from pipeline.arrays import Doubles
from pipeline.errors import InputError
from pipeline.evaluate.experiment import Experiment
from pipeline.metrics.baselines import BASELINE, best_single_feature
from pipeline.models import bundle as bundles
from pipeline.models import stacker
from pipeline.models.base import column_of
from pipeline.models.base.catalogue import BASE_MODELS
from pipeline.models.bundle import Bundle
from pipeline.models.days import places_of, user_day_key
from pipeline.models.samples import Samples
from pipeline.models.scoring import score_days
from pipeline.models.surprise import learned_columns
from pipeline.train.stacking import Columns, StackingPlan, fit_booster
from pipeline.train.walk_forward import walk_forward

FEATURES = "XGBoost, features"
PRODUCT = "Dawnlist"
OLDER = "Dawnlist, trained a week earlier"
SURPRISE = "Dawnlist's surprise, no labels"
SHUFFLED = "XGBoost, labels shuffled"
MAX_LEARNED = 30_000  # training user-days that a base model scores again, to show its overfitting
SHUFFLES = 8  # of the labels: all on one side of chance is one case in 128
PLACEBOS = 8  # noise columns


@dataclass
class Results:
    """Scores of the test by contender, and what else was measured on the way."""

    scores: dict[str, Doubles] = field(default_factory=dict)
    on_training: dict[str, tuple[Samples, Doubles]] = field(default_factory=dict)  # to show overfitting
    shuffled: list[Doubles] = field(default_factory=list)  # scores after fitting on shuffled labels
    placebos: list[Doubles] = field(default_factory=list)  # scores with a noise column as a base model
    not_fitted: dict[str, str] = field(default_factory=dict)  # contenders that could not be fitted, and why


def with_base_model(name: str) -> str:
    """The name of the stacker over the features and one base model."""
    return f"{FEATURES} + {name}"


def baselines(experiment: Experiment) -> Iterator[tuple[str, Doubles]]:
    """The protocol's single features, and the feature and direction that rank best on the training days."""
    test, training = experiment.test.samples, experiment.training
    for name in experiment.protocol.baselines:
        yield f"{BASELINE}{name}", test.column(name)
    name, sign = best_single_feature(training.features(), training.is_bad, experiment.settings.seed)
    yield f"{BASELINE}best single feature ({'most' if sign > 0 else 'least'} {name})", sign * test.column(name)


def fit_and_score(training: Samples, learn: Columns, plan: StackingPlan, *tables: Columns) -> list[Doubles]:
    """Fit the stacker over the columns `learn` on all of `training`, and score each table."""
    booster = fit_booster(training, learn, plan, np.ones(len(training), np.bool_))
    columns = list(learn)
    return [stacker.predict(booster, columns, np.column_stack([one[name] for name in columns])) for one in tables]


def features_alone(experiment: Experiment, plan: StackingPlan, results: Results) -> None:
    """XGBoost over the features; and several times with shuffled labels, which must end at chance."""
    training = experiment.training
    learn, test = training.features(), experiment.test.samples.features(training)
    results.scores[FEATURES], learned = fit_and_score(training, learn, plan, test, learn)
    results.on_training[FEATURES] = (training, learned)
    for shuffle in range(SHUFFLES):
        rows = np.random.default_rng([plan.seed, shuffle]).permutation(len(training))
        mixed = replace(training, is_bad=training.is_bad[rows], weight=training.weight[rows])
        results.shuffled += fit_and_score(mixed, learn, plan, test)


def placebos(experiment: Experiment, plan: StackingPlan, results: Results) -> None:
    """Noise columns in a base model's place: their lift is the variance of training."""
    training, tested = experiment.training, experiment.test.samples
    learn, test = training.features(), tested.features(training)
    for column in range(PLACEBOS):
        random, name = np.random.default_rng([plan.seed, column]), column_of("random_numbers")
        noise, test_noise = random.normal(size=len(training)), random.normal(size=len(tested))
        results.placebos += fit_and_score(training, {**learn, name: noise}, plan, {**test, name: test_noise})


def base_models(experiment: Experiment, names: Sequence[str], plan: StackingPlan, results: Results) -> Iterator[str]:
    """Each base model alone, and its walk-forward scores as one more column of the stacker."""
    training, tested = experiment.training, experiment.test.samples
    learn, test = training.features(), tested.features(training)
    for name in names:
        yield name
        try:
            found = walk_forward(BASE_MODELS[name], training, experiment.since, plan.options)
        except InputError as error:
            results.not_fitted[name] = str(error)
            continue
        results.scores[name] = found.final.score(tested, plan.threads)
        some = training.take(np.arange(0, len(training), max(1, len(training) // MAX_LEARNED)))
        results.on_training[name] = (some, found.final.exchanged.score(some, plan.threads))
        column = column_of(name)
        (results.scores[with_base_model(name)],) = fit_and_score(
            training, {**learn, column: found.scores}, plan, {**test, column: results.scores[name]}
        )


def autoencoder_in_full(experiment: Experiment, plan: StackingPlan, results: Results) -> None:
    """The stacker over the features and all columns of the bundle's autoencoders: surprise, whole and by field."""
    bundle, training = load_bundle(experiment, experiment.built.bundle), experiment.training
    if bundle.unlabelled.fields != training.fields:
        raise InputError("the bundle was trained on a sample of the accounts, so its vocabulary differs")
    tested = experiment.test.samples
    learned, test = (
        learned_columns(bundle.unlabelled.surprise(some, plan.threads), training.fields) for some in (training, tested)
    )
    learn: Columns = {**training.features(), **learned}
    (results.scores[f"{FEATURES} + surprise"],) = fit_and_score(
        training, learn, plan, {**tested.features(training), **test}
    )


def product(experiment: Experiment, bundle: str) -> dict[str, Doubles]:
    """A bundle's risk, which is a probability of being bad, and its surprise, day by day as in production."""
    protocol, test = experiment.protocol, experiment.test.samples
    assert protocol.test is not None and protocol.until is not None
    loaded = load_bundle(experiment, bundle)
    scored = score_days(experiment.settings, loaded, *protocol.test, protocol.until, experiment.as_of)
    user = pc.index_in(scored.user_id, value_set=test.tokens.users).to_numpy()
    rows = places_of(test.windows.key, user_day_key(user, scored.day))
    return {PRODUCT: scored.risk[rows], SURPRISE: scored.surprise[rows]}


def load_bundle(experiment: Experiment, bundle: str) -> Bundle:
    return bundles.load(experiment.settings.home, bundle, experiment.settings.threads)


def plan_of(experiment: Experiment) -> StackingPlan:
    """As the product fits its stacker."""
    settings, signs = experiment.settings, experiment.domain.monotone_signs
    return StackingPlan(experiment.protocol.reviews, settings.seed, settings.threads, signs, experiment.clock)
