"""Counts the inputs of each kind, and says at the end of `make fuzz` what they took."""

import resource
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("fuzz", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
MOST_MEMORY = 2**30
BEGAN = time.monotonic()


def peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def inputs(record_property):
    """How many inputs of each kind a test has made; afterwards, its memory is looked at."""
    counts: Counter[str] = Counter()
    before, cpu = peak_memory(), time.process_time()
    yield counts
    record_property("inputs", dict(counts))
    record_property("cpu", time.process_time() - cpu)
    record_property("memory", peak_memory())
    assert peak_memory() <= max(before, MOST_MEMORY), "memory"  # of this process, which other tests may have filled


def pytest_terminal_summary(terminalreporter):
    if settings.get_current_profile_name() != "fuzz":
        return
    # what a fixture records is in the report of its teardown, which has no outcome of its own
    reports = [dict(report.user_properties) for key in ("", "error") for report in terminalreporter.getreports(key)]
    tests = [report for report in reports if "inputs" in report]
    counts = sum((Counter(test["inputs"]) for test in tests), Counter())
    cpu = sum(test["cpu"] for test in tests)
    memory = max((test["memory"] for test in tests), default=0)
    terminalreporter.section("fuzz")
    for kind, count in sorted(counts.items()):
        terminalreporter.line(f"{kind:14} {count:7,}")
    terminalreporter.line(f"{'all':14} {counts.total():7,} inputs in {time.monotonic() - BEGAN:.0f} s")
    terminalreporter.line(f"{cpu:.0f} s of CPU, peak memory {memory / 2**20:.0f} MB")
