"""The command line: thin shells around `pipeline.daily`."""
