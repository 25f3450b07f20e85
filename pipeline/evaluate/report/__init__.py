"""Reports: their content, and how they look as JSON, as a page and on a terminal."""
