"""How good a list is: metrics with their floors, on cuts in time."""
