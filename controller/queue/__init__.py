"""Which object is looked at, when, and what a look came to."""
