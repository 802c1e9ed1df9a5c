"""The programs whose rules we can put into words; sorted, and listed by hand."""

from kubectl_packetpath.dialects.base import Dialect, Meaning
from kubectl_packetpath.dialects.proxies.kubeproxy import KubeProxy
from kubectl_packetpath.trace import Fact

DIALECTS: tuple[Dialect, ...] = (KubeProxy(),)


def meaning(fact: Fact) -> Meaning | None:
    """What a rule stands for, in the words of the first program that knows it as its own."""
    return next((found for each in DIALECTS if (found := each.meaning(fact)) is not None), None)


__all__ = ["DIALECTS", "Dialect", "Meaning", "meaning"]
