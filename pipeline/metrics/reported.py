"""Which share of what is bad is ever reported: estimated from accounts that people reviewed."""

from dataclasses import dataclass

from pipeline.arrays import Doubles, Flags

STRENGTH = 20.0  # reviewed bad accounts that the assumption is worth
COVERAGE = 0.9


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


def reported_share(is_reported: Flags, propensity: Doubles, assumed: float, audited: int = 0) -> ReportedShare:
    """From bad accounts (n,) that were reviewed with these propensities: which of them were reported as well.

    `audited` of them were drawn at random. Each stands for 1 / propensity accounts (Horvitz and Thompson, 1952), so
    that what a list picks does not count for more than what it leaves out. Kish's effective number of them joins the
    assumption in a beta distribution.
    """
    from scipy.stats import beta

    if not len(is_reported):
        return ReportedShare(assumed, assumed, assumed, 0, 0, assumed)
    weight = 1 / propensity
    found = float(weight[is_reported].sum() / weight.sum())
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    yes, no = STRENGTH * assumed + effective * found, STRENGTH * (1 - assumed) + effective * (1 - found)
    tail = (1 - COVERAGE) / 2
    low, high = beta.ppf([tail, 1 - tail], yes, no) if no > 0 else (1.0, 1.0)
    return ReportedShare(yes / (yes + no), float(low), float(high), len(is_reported), audited, assumed)
