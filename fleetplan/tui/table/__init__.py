"""A table of any number of rows: its values and their order (`model`), its lines (`lines`), and the widget that scrolls over them."""
