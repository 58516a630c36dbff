"""While a rollout runs: what of its plan was approved, the next wave from the state that is, and what failures do to it. Pure."""
