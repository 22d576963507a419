"""Tables of text, as plain lines or as Markdown; pure."""

from collections.abc import Sequence

Row = Sequence[str]


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """Return a table that reads well as text and as Markdown; numbers are set right.

    Args:
        head: titles of the columns; the first column is text.
        rows: as many cells each.
    """
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "".join(_line(row, widths) for row in [head, rule, *rows])


def _line(row: Row, widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "| " + " | ".join([first, *rest]) + " |\n"
