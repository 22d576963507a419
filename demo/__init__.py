"""The five demos, and the walkthrough that `make demo` runs."""
