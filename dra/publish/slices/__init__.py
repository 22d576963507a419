"""Keeps the ResourceSlices of a node equal to what its driver offers."""
