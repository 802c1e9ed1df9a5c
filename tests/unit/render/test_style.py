"""Lines as a narrow terminal holds them."""

import pytest

from kubectl_packetpath.render.style import headline

PARTS = (("NodePort 10.0.0.1:30080/tcp", str), ("shop/web:http", str), ("", str), ("arrives", str.upper))


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, ["✔ NodePort 10.0.0.1:30080/tcp  shop/web:http  ARRIVES"]),
        (48, ["✔ NodePort 10.0.0.1:30080/tcp  shop/web:http", "  ARRIVES"]),
        (30, ["✔ NodePort 10.0.0.1:30080/tcp", "  shop/web:http  ARRIVES"]),
        (26, ["✔ NodePort", "  10.0.0.1:30080/tcp", "  shop/web:http  ARRIVES"]),
    ],
)
def test_a_headline_ends_where_its_reader_sees_it(width: int, expected: list[str]) -> None:
    """Part beside part while they fit, and below one another then; paint takes no room."""
    assert list(headline("✔", PARTS, width)) == expected
