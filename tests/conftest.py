"""Modules beside this one (`support`, `little_shop`, …) can be imported by every test."""

from story_so_far import at_end_of, chapters

__all__ = ["at_end_of", "chapters"]
