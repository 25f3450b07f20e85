"""Modules beside this one (`support`) can be imported by every test."""
