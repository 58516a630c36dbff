"""One host: its registers now and then, side by side, its turn, and its guests."""
