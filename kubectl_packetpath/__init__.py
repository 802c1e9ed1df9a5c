"""How a packet really reaches a Kubernetes Service, and where and why it does not."""

__version__ = "0.1.0"
