"""The agent: reads one node's network state from its kernel, and answers on its standard streams alone."""
