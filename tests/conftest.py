"""Modules beside this one (`support`, `little_shop`, …) can be imported by every test."""

import atexit
import os

import little_shop as shop
import pytest
from command import Home
from hypothesis import settings
from story_so_far import at_end_of, chapters

# On a CI machine the same commit has the same examples; at home each run looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture
def home(tmp_path):
    """A home where nothing was ever done."""
    return Home(tmp_path / "home", shop.pack(tmp_path))


def pytest_collection_modifyitems(items):
    """Tests that begin where a chapter ends wait for a training: `make test-quick` leaves them out."""
    for item in items:
        if "chapters" in getattr(item, "fixturenames", ()):
            item.add_marker("story")


def _be_silent():
    """At Python's end DuckDB lists the objects still alive, in sixty lines that would hide the count of tests."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_be_silent)

__all__ = ["at_end_of", "chapters"]
