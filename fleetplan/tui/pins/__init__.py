"""PSCI pins: who needs which, from when on, and what it costs."""
