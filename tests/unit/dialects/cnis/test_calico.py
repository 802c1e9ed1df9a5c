"""Calico's names."""

import pytest

from kubectl_packetpath.dialects.cnis.calico import guarded_direction, policy_chain, policy_named


@pytest.mark.parametrize(
    ("direction", "chain"),
    [("ingress", "cali-pi-_QADvp1AA0f82WEotKxH"), ("egress", "cali-po-_QADvp1AA0f82WEotKxH")],
)
def test_a_policy_has_a_chain_for_each_direction(direction: str, chain: str) -> None:
    """Seen on a node with Calico 3.28."""
    assert policy_chain("default", "server-in", direction) == chain


def test_a_short_name_is_not_hashed() -> None:
    """28 characters are what iptables allows."""
    assert policy_chain("a", "web", "ingress") == "cali-pi-a/knp.default.web"


@pytest.mark.parametrize(
    ("chain", "direction"),
    [("cali-tw-cali0123456789a", "ingress"), ("cali-fw-cali0123456789a", "egress"), ("cali-FORWARD", "")],
)
def test_a_guard_looks_at_one_direction(chain: str, direction: str) -> None:
    """To a workload is ingress, from one is egress."""
    assert guarded_direction(chain) == direction


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ('"Policy shop/knp.default.web ingress"', "NetworkPolicy shop/web"),
        ('"Policy default.quarantine egress"', "Calico's policy default.quarantine"),
        ('"cali:FQ9LcNP4s2Kg8mhH"', ""),
    ],
)
def test_a_comment_names_the_policy(comment: str, name: str) -> None:
    """By the name that the API knows, where it is one of the API's."""
    rule = f'-A cali-pi-x -m comment --comment "cali:0" -m comment --comment {comment} -j MARK'
    assert policy_named(rule) == name
