"""Rules of the built-in kinds, one module per idea; each offers values of Strategy."""
