"""What the API's policies say of a flow: whether one pod may send it, and the other may take it."""
