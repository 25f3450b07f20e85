"""Groups of accounts that act together: who joins, when, and with which traits."""
