"""Which certificate a proxy shows, and whether a client takes it."""
