"""What a move does to a guest. Pure."""
