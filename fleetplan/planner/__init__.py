"""Searches plans: fleet and policy in, plan or reasons out. Blind to the judge."""
