"""A small shop for tests, and a given number of its days."""

from itertools import islice

from pipeline.simulate import ShopSettings, simulate

SMALL = ShopSettings(users=1500, bad_share=0.02)


def days_of(settings, n):
    return list(islice(simulate(settings), n))
