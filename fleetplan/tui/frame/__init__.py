"""What every view stands in: the surface that lines are drawn on, the heading with its path, prompts, help."""
