"""The moves of a plan, the riskiest first, with the reasons beside them."""
