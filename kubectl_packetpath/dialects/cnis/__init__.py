"""Pod networks, by the names that they give to kernel state."""
