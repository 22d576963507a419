"""Drivers made on the framework of dra."""
