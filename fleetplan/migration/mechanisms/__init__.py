"""Ways to keep a guest on old firmware, compared by running them: kernels and userspaces that never were beside those that are."""
