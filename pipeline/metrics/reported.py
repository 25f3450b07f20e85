"""Which share of what is bad is ever reported: estimated from accounts that people reviewed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Doubles, Flags, Names

STRENGTH = 20.0  # reviewed bad accounts that the assumption is worth
COVERAGE = 0.9
ROUNDS, SETTLED = 300, 1e-6


@dataclass(frozen=True)
class ReportedShare:
    """The share, with a 90 % interval, from `reviewed` bad accounts, `audited` of them drawn at random."""

    share: float
    low: float
    high: float
    reviewed: int
    audited: int
    assumed: float

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        if not self.reviewed:
            return "assumed in the domain pack"
        return (
            f"from {self.reviewed:,} reviewed bad accounts, {self.audited:,} of them audit rows, "
            f"and the domain pack's {self.assumed:.0%} as {STRENGTH:.0f} more"
        )


@dataclass(frozen=True)
class Prior:
    """What is assumed before an account was reviewed: worth `strength` reviewed bad accounts."""

    share: float
    strength: float = STRENGTH


KNOWS_NOTHING = Prior(0.5, 1.0)  # Jeffreys': no pack assumes anything about one source


@dataclass(frozen=True)
class Reviewed:
    """Bad accounts (n,) that were reviewed, each with the probability of that. Which of them were reported as well?"""

    is_reported: Flags
    propensity: Doubles
    is_audit: Flags  # drawn at random
    chance_bad: Doubles  # that the verdict is right

    def take(self, chosen: Flags) -> "Reviewed":
        return Reviewed(
            self.is_reported[chosen], self.propensity[chosen], self.is_audit[chosen], self.chance_bad[chosen]
        )


def chance_if_confirmed(risk: Doubles, is_reported: Flags, error: float, share: float) -> Doubles:
    """The probability that a confirmed account is bad, (n,). Bayes: the lower its risk, the likelier an error.

    `error`: share of verdicts that are wrong; `share`: of bad accounts that are reported. What was reported as well is
    bad, and what had no risk (NaN) is taken as it was judged.
    """
    unreported = risk * (1 - error) * (1 - share)
    wrong = (1 - risk) * error
    chance = np.divide(unreported, unreported + wrong, out=np.ones(len(risk)), where=unreported + wrong > 0)
    return np.where(is_reported | np.isnan(risk), 1.0, chance)


def reported_share(reviewed: Reviewed, prior: Prior) -> ReportedShare:
    """Each account stands for 1 / propensity accounts (Horvitz and Thompson, 1952).

    So what a list picks does not count for more than what it leaves out, and a doubtful verdict counts for less. Kish's
    effective number of accounts joins the assumption in a beta distribution.
    """
    from scipy.stats import beta

    n, assumed = len(reviewed.is_reported), prior.share
    weight = reviewed.chance_bad / reviewed.propensity
    audited = int(reviewed.is_audit.sum())
    if not weight.any():
        return ReportedShare(assumed, assumed, assumed, n, audited, assumed)
    found = float(weight[reviewed.is_reported].sum() / weight.sum())
    effective = float(weight.sum() ** 2 / (weight / reviewed.propensity).sum())
    yes = prior.strength * assumed + effective * found
    no = prior.strength * (1 - assumed) + effective * (1 - found)
    tail = (1 - COVERAGE) / 2
    low, high = beta.ppf([tail, 1 - tail], yes, no) if no > 0 else (1.0, 1.0)
    return ReportedShare(yes / (yes + no), float(low), float(high), n, audited, assumed)


def doubted(reviewed: Reviewed, risk: Doubles, error: float, prior: Prior) -> tuple[Reviewed, ReportedShare]:
    """The accounts with the chance that each is bad, and the share reported: each depends on the other, so in turns."""
    share = prior.share
    for _ in range(ROUNDS if error else 1):
        chance = chance_if_confirmed(risk, reviewed.is_reported, error, share)
        reviewed = replace(reviewed, chance_bad=chance)
        found = reported_share(reviewed, prior)
        if abs(found.share - share) < SETTLED:
            break
        share = found.share
    return reviewed, found


def by_typology(reviewed: Reviewed, typology: Names, pooled: ReportedShare) -> dict[str, ReportedShare]:
    """The share of each typology, most reviewed first.

    The pooled share counts as STRENGTH accounts of each: with few accounts of a kind it is near that. Accounts without
    a typology are in none.
    """
    kinds = {str(kind): np.equal(typology, kind).astype(np.bool_) for kind in typology if kind is not None}
    shares = {kind: reported_share(reviewed.take(chosen), Prior(pooled.share)) for kind, chosen in kinds.items()}
    return dict(sorted(shares.items(), key=lambda each: (-each[1].reviewed, each[0])))


def by_source(reviewed: Reviewed, named_by: Iterable[tuple[str, Flags]]) -> dict[str, ReportedShare]:
    """The share of what is bad that each source names, largest first. `named_by` has the accounts (n,) each named."""
    shares = {
        source: reported_share(replace(reviewed, is_reported=is_named), KNOWS_NOTHING) for source, is_named in named_by
    }
    return dict(sorted(shares.items(), key=lambda each: (-each[1].share, each[0])))
