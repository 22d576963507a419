"""Where a node shows its devices and prepared claims to others: its NodeAllocationState."""
