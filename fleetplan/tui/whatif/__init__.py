"""What if: changes that are tried on a fleet, what the plan then is, and how it differs. Nothing of it reaches the inventory."""
