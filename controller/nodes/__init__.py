"""The state of every node: what it offers, what is reserved, and the writes of it."""
