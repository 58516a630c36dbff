"""Rules over an inventory, a fleet and a plan, and what they find."""
