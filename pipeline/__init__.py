"""Dawnlist: every morning, the short list of accounts a risk team should look at, and why."""

import os

# Before OpenMP starts: threads that wait sleep instead of spinning. Where anything else wants the processor, XGBoost's
# two threads spinning for one another are several times as slow.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
