from bench.tables import markdown


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_are_set_right():
    assert markdown(("name", "n"), [("a", "10"), ("longer", "7")]) == (
        "| name   |  n |\n| ------ | -: |\n| a      | 10 |\n| longer |  7 |\n"
    )
