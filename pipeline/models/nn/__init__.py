"""Networks that read windows of events, and how they are trained."""
