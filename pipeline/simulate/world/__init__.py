"""What exists before anybody visits: codes and random numbers, the catalogue, the people."""
