"""What the API's objects say about an HTTP request: which rule takes it, and to whom it goes on."""
