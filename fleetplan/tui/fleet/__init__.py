"""Hosts by zone and rack as a map: where each stands, how full it is, what leaves it."""
