"""Before anything of ours is compared with the handbook, its own numbers are reproduced."""

import os
from datetime import date
from pathlib import Path

import pytest

from pipeline.evaluate.handbook import reproduce

DATASETS = Path(os.environ.get("RISK_DATASETS", ""))


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("RISK_DATASETS") or not (DATASETS / "payments").is_dir(),
    reason="set RISK_DATASETS to the folder of data sets",
)
def test_xgboost_on_transactions_of_the_visible_week_is_as_published_to_the_third_digit():
    found = reproduce(DATASETS, (date(2018, 8, 8), date(2018, 8, 14)))
    assert (round(found.average_precision, 3), round(found.card_precision, 3)) == (0.639, 0.273)
