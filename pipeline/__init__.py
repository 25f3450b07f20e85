"""Dawnlist: every morning, the short list of accounts a risk team should look at, and why."""
