"""Event tokens: the fields of an event as codes and numbers, and the windows that user-days are scored by."""
