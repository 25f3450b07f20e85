"""Counts the inputs of each kind, and says at the end of `make fuzz` what they took."""

import resource
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("fuzz", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
MOST_MEMORY = 2**30


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def inputs(record_property):
    """How many inputs of each kind a test has made; afterwards, its memory is looked at."""
    counts: Counter[str] = Counter()
    before, began, cpu = peak_memory(), time.monotonic(), time.process_time()
    yield counts
    record_property("inputs", dict(counts))
    record_property("seconds", (time.monotonic() - began, time.process_time() - cpu))
    record_property("memory", peak_memory())
    assert peak_memory() <= max(before, MOST_MEMORY), "memory"  # of this process, which other tests may have filled


def pytest_terminal_summary(terminalreporter):
    if settings.get_current_profile_name() != "fuzz":
        return
    reports = [
        dict(report.user_properties) for key in ("passed", "failed") for report in terminalreporter.getreports(key)
    ]
    counted = [each for each in reports if "inputs" in each]
    counts = sum((Counter(each["inputs"]) for each in counted), Counter())
    seconds, cpu = (sum(each["seconds"][i] for each in counted) for i in (0, 1))
    memory = max((each["memory"] for each in counted), default=0)
    terminalreporter.section("fuzz")
    for kind, count in counts.items():
        terminalreporter.line(f"{kind:10} {count:7,}")
    terminalreporter.line(
        f"{'all':10} {counts.total():7,} inputs in {seconds:.0f} s, {cpu:.0f} s of CPU, at most {memory / 2**20:.0f} MB"
    )
