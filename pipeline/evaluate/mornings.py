"""When the product of an experiment works: at the hour of the daily list."""

from datetime import date, datetime, timedelta

from pipeline.metrics.detection_delay import LIST_HOURS
from pipeline.storage.lake import end_of


def morning_after(day: date) -> datetime:
    """When the day's list is made."""
    return end_of(day) + timedelta(hours=LIST_HOURS - 24)
