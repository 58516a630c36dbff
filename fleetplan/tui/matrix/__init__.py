"""Every class of guests to every class of hosts, now and at the target."""
