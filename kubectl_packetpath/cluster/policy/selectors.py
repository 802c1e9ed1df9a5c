"""Label selectors: which objects a policy means.

Everything that a selector asks for has to hold, and an empty one asks for nothing, so it selects all.

Kubernetes: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
Kubernetes: staging/src/k8s.io/apimachinery/pkg/labels/selector.go (a label that is not there is not in any list)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubectl_packetpath.cluster.policy.certainty import Certainty, every

NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server gives it to every namespace, so it is known even where namespaces may not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The labels of an object, as far as they are known."""

    pairs: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    """False: there may be others."""

    def __str__(self) -> str:
        """`app=web,tier=front`."""
        known = ",".join(f"{key}={value}" for key, value in sorted(self.pairs.items()))
        if self.complete:
            return known or "no labels"
        return f"{known}, and labels that are not known" if known else "labels that are not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that a selector asks of a label."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()

    def holds(self, labels: Labels) -> Certainty:
        """Whether these labels fulfil it; an operator of tomorrow cannot be judged."""
        present = self.key in labels.pairs
        if self.operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            return None
        if not present:
            return self.operator in {"NotIn", "DoesNotExist"} if labels.complete else None
        if self.operator in {"In", "NotIn"}:
            return (labels.pairs[self.key] in self.values) == (self.operator == "In")
        return self.operator == "Exists"

    def __str__(self) -> str:
        """As kubectl's `-l` takes it."""
        if self.operator == "Exists":
            return self.key
        if self.operator == "DoesNotExist":
            return f"!{self.key}"
        if self.operator == "In" and len(self.values) == 1:
            return f"{self.key}={self.values[0]}"
        words = {"In": "in", "NotIn": "notin"}.get(self.operator, self.operator)
        return f"{self.key} {words} ({','.join(self.values)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """A choice of objects by their labels."""

    requirements: tuple[Requirement, ...] = ()

    def holds(self, labels: Labels) -> Certainty:
        """Whether an object with these labels is selected."""
        return every(each.holds(labels) for each in self.requirements)

    def __str__(self) -> str:
        """As kubectl's `-l` takes it; `{}` for one that selects all."""
        return ",".join(str(each) for each in self.requirements) or "{}"


EVERYTHING = LabelSelector()
