"""The rollout on a time line: step forward and back, or let it play."""
