"""A driver that lends files."""
