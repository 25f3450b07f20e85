"""Modules beside this one (`support`, `little_shop`, …) can be imported by every test."""

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


__all__ = ["at_end_of", "chapters"]
