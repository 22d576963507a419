"""What becomes of one claim, and of one pod that waits for claims."""
