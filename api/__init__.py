"""Names, values and schemas of the driver's contract; imported by every layer, importing none."""

__version__ = "0.1.0"
