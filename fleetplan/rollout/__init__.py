"""What a plan is: values and their plain meaning. No search, no judgment."""
