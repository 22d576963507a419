"""The driver of made-up GPUs, and NICs; README.md tells what it shows."""
