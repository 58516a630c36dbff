"""What is: hosts, guests, policy. Frozen values with units; no I/O, no judgment."""
