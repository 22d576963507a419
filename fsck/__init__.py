"""The command `fake-dra`: looks a cluster over for what must never be, and repairs it."""
