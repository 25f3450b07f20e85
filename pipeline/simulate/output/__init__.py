"""What a simulated day leaves behind: event and label files, and the truth."""
