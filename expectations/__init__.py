"""What a believable day looks like: the suites of the three checkpoints.

dbt's tests prove that the SQL is right; expectations prove that the day is right. Every expectation's notes say why it
is there. `critical` stops the day, `warning` is written on the list.
"""

import logging
import os

# Set before Great Expectations is imported: no telemetry, and no chatter where Airflow or dbt set up logging.
# A log level would not do: one of its modules sets its own to INFO. Warnings still reach stderr, Python's last resort.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.getLogger("great_expectations").propagate = False
