"""The claims prepared on this node: checkpoint, CDI files, and the only code that changes them."""
