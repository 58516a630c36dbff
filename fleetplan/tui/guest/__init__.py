"""One guest: its birth, its registers now and then, its path through the plan, where it could go."""
