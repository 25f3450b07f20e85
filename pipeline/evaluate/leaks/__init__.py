"""What each known leak would have faked: every one injected on purpose, priced, and caught by a guard."""

from pipeline.evaluate.leaks.prices import Price, price_list

__all__ = ["Price", "price_list"]
