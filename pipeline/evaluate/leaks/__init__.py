"""Known leaks: each is made on purpose, priced, and refused by a guard."""
