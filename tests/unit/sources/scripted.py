"""A websocket that says what a test wrote down, and keeps what it is told."""

BINARY, CLOSE = 2, 8


class Scripted:
    """A websocket with these messages to give; an error is raised in its turn."""

    def __init__(self, *messages: tuple[int, bytes] | Exception) -> None:
        self.messages = list(messages)
        self.sent: list[bytes] = []

    def settimeout(self, timeout: float) -> None:
        """Nothing waits here."""

    def recv_data(self) -> tuple[int, bytes]:
        """The next message."""
        message = self.messages.pop(0)
        if isinstance(message, Exception):
            raise message
        return message

    def send_binary(self, payload: bytes) -> int:
        """Keep what was sent."""
        self.sent.append(payload)
        return len(payload)

    def close(self) -> None:
        """Nothing to close."""
