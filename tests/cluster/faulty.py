"""What tests of faults in pod networks share: the way they ask about, and what the tool says of it."""

from dataclasses import dataclass
from typing import Any

from cluster.prediction import Said, packetpath
from cluster.stage import SPACE, Stage

from testbed.control import Node, Pod
from testbed.faults import Fault, NeighbourChanged
from testbed.workloads import TCP_PORT

LOST, UNKNOWN = 1, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a fault may be in: the way from a pod on node1 to one on node2."""

    stage: Stage

    @property
    def here(self) -> Node:
        """The client's node."""
        return self.stage.cluster.node("node1")

    @property
    def there(self) -> Node:
        """The server's node."""
        return self.stage.cluster.node("node2")

    @property
    def server(self) -> Pod:
        """Who is asked."""
        return self.stage.cluster.pod(SPACE, "web-node2")

    def pods_of(self, name: str) -> Any:
        """The pods' network of a node."""
        plan = self.stage.cluster.plan
        return plan.pods_of(plan.spec.node(name), 4)

    def neighbour(self, **words: str) -> Fault:
        """What node1 believes of the tunnel's other end."""
        return NeighbourChanged(
            place=self.here, device="flannel.1", address=self.pods_of("node2")[0], **words
        )

    def known(self, address: object = None, device: str = "flannel.1") -> str:
        """What node1 knows of a neighbour: the tunnel's other end, if no other is named."""
        return self.here.run(["ip", "neigh", "show", str(address or self.pods_of("node2")[0]), "dev", device])


def ask(stage: Stage, address: object, *words: str, code: int, start: str = "client-node1") -> Said:
    """What the tool says of the way from a pod."""
    return packetpath(
        stage.cluster, f"{address}:{TCP_PORT}", "--from", f"pod/{start}", "-n", SPACE, *words, expect=code
    )


def evidence(said: Said) -> list[str]:
    """The texts of all facts of all findings."""
    return [
        fact["text"] for way in said.ways for found in way["findings"] for fact in found.get("evidence", ())
    ]
