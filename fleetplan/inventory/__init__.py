"""Reads inventories and plan files, and writes plan files."""
