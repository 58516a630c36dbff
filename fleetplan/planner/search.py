"""DOOR: `plan(fleet, classes, *, digest, progress=...) -> Plan | Infeasible`."""
