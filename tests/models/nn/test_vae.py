import dataclasses

import numpy as np
import pytest
import torch
from event_streams import FIELDS, random_tokens
from labelled_streams import by_nothing, cut, patternless, samples_of
from torch.distributions import Normal, kl_divergence

from pipeline.models.nn.batch import read_batch
from pipeline.models.nn.vae import VaeAbout, VaePlan, VariationalAutoencoder, fit_vae, kl

pytestmark = pytest.mark.slow

SHAPE = VaeAbout(hidden_size=16, code_size=4)


def loving(n_users=120, seed=0):
    """Users who each love one category and one price: a window has something to say in a few numbers."""
    random = np.random.default_rng(seed)
    tokens = random_tokens([16] * n_users, seed)
    tokens.codes[:, 1] = (tokens.user % 3) + 2
    tokens.numbers[:, 0] = (tokens.user % 5 - 2) + random.normal(0, 0.1, len(tokens))
    return samples_of(tokens, np.zeros(n_users, bool))


def test_the_price_of_a_code_is_the_divergence_of_its_gaussian():
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    wanted = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl(mean, log_variance), wanted)


def test_the_bound_is_the_days_nats_per_event_and_its_share_of_the_price():
    samples = patternless([7, 3])
    model = VariationalAutoencoder(FIELDS, SHAPE).eval()
    with torch.inference_mode():
        window = read_batch(samples.sequences)
        mean, log_variance = model.posterior(window)
        nats, price = model.nats(window, mean), kl(mean, log_variance).sum(1)
        bound = model.negative_bound(window)
    for i, (own, length) in enumerate(zip(window.own.tolist(), window.lengths.tolist(), strict=True)):
        assert bound[i].item() == pytest.approx(nats[i, :own].mean().item() + price[i].item() / length, rel=1e-4)


def test_the_code_says_something_where_windows_differ_and_the_report_shows_it():
    samples = loving()
    learn, stop = samples.take(samples.windows.user < 90), samples.take(samples.windows.user >= 90)
    plan = VaePlan(epochs=16)
    fitted = fit_vae(plan, SHAPE, learn, stop).about
    assert fitted.active_units >= 2 and fitted.kl_nats > 1
    assert fitted.later_nats[-1] < fitted.later_nats[0]
    collapsed = fit_vae(dataclasses.replace(plan, epochs=1, settled_after=0), SHAPE, *cut(by_nothing(200))[:2])
    assert collapsed.about.kl_nats < fitted.kl_nats


def test_a_window_in_which_one_event_is_odd_costs_more():
    samples = loving()
    scorer = fit_vae(VaePlan(epochs=16), SHAPE, samples, samples)
    odd = samples.take(np.flatnonzero(samples.windows.user == 7)[-1:])
    before = scorer.score(odd)[0]
    odd.tokens.numbers[odd.windows.end[0] - 1, 0] = 9.0
    assert scorer.score(odd)[0] > before + 1
