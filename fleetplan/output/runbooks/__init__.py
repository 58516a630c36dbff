"""Plans as things that people and programs execute: from the plan alone."""
