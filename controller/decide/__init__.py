"""Which devices and which nodes: pure."""
