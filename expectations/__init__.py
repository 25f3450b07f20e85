"""What a believable day looks like: the suites Great Expectations judges at the three checkpoints.

dbt's tests prove that the SQL is right; these prove that the day is right. Every expectation says in its
notes why it is there. `critical` stops the day, `warning` is written on the list.
"""

import logging
import os

# Before Great Expectations is imported by any suite: no telemetry, and no chatter where Airflow or dbt set up logging.
# Not by level: one of its modules sets its own to INFO. Warnings still reach stderr, which is where Python sends what
# no handler takes.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").propagate = False
