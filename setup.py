"""Build entry point; everything else is declared in setup.cfg."""

from setuptools import setup

setup()
