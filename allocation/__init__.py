"""What a scheduler makes of published devices: pure, and only of what is given to it."""
