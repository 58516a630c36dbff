"""Values in, text out: one file per format. Every sentence about an instance is made here."""
