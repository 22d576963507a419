"""The command `fake-dra`."""
