"""What the objects of the Gateway API say about a request or a connection."""
