"""Small labelled tests: rows written by hand, and markets drawn at random."""

import numpy as np

from pipeline.metrics.scored_labels import ScoredLabels


def labelled(rows, risks=(), **scores):
    """Of rows (user, day, is_bad) or (user, day, typology or None), and each contender's scores in their order."""
    user, day, bad = zip(*rows, strict=True)
    typology = np.array([None if kind is None or isinstance(kind, bool) else kind for kind in bad], object)
    is_bad = np.array([bool(kind) for kind in bad])
    day = np.array(day, np.int32)
    first = {u: 24.0 * d for u, d, is_it in sorted(zip(user, day, is_bad, strict=True), reverse=True) if is_it}
    return ScoredLabels(
        user=np.array(user, np.int32),
        day=day,
        is_bad=is_bad,
        typology=typology,
        is_new=np.zeros(len(day), bool),
        first_bad_at=np.array([first.get(u, np.nan) for u in user]),
        scores={name.replace("_", " "): np.array(score, float) for name, score in scores.items()},
        risks=tuple(risks),
    )


def market(random, accounts=300, days=3, skills=(1.6, 1.2), bad_share=0.08):
    """Accounts of which some are bad on most days; contenders a, b, ... share what is odd about an account."""
    user = np.repeat(np.arange(accounts, dtype=np.int32), days)
    day = np.tile(np.arange(days, dtype=np.int32), accounts)
    is_bad_account = random.random(accounts) < bad_share
    is_bad = is_bad_account[user] & (random.random(len(user)) < 0.6)
    odd = 0.6 * random.normal(size=accounts)[user]
    first = np.full(accounts, np.inf)
    np.minimum.at(first, user[is_bad], 24.0 * day[is_bad] + 12)
    kinds = np.array(["bots", "theft", "reviews"], object)[random.integers(0, 3, accounts)][user]
    return ScoredLabels(
        user=user,
        day=day,
        is_bad=is_bad,
        typology=np.where(is_bad, kinds, None),
        is_new=(random.random(accounts) < 0.3)[user],
        first_bad_at=np.where(np.isfinite(first), first, np.nan)[user],
        scores={
            name: is_bad * skill + odd + 0.8 * random.normal(size=len(user))
            for name, skill in zip("abcdefgh", skills, strict=False)
        },
    )
