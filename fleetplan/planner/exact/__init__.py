"""Exact answers for small fleets: what no plan can do better, and whether there is a plan at all.

The models are handed to a solver (the extra `optimal`), which is loaded only when it is asked. Everything else works without.
"""
