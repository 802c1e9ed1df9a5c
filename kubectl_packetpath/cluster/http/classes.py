"""Which controller applies an Ingress.

The Ingress names a class, the class names a controller. An Ingress without class got the default one when it was
made, if there was one then; what controllers do with one that still has none is their own choice.

Kubernetes: https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kubectl_packetpath.cluster.http.controllers import controller_named, controller_of_class
from kubectl_packetpath.cluster.http.controllers.base import Controller, unknown_controller
from kubectl_packetpath.cluster.http.model import LEGACY_CLASS, Ingress, IngressClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Who applies an Ingress."""

    ingress: Ingress
    controller: Controller
    name: str = ""
    """The controller as its class names it, or the class itself; empty: nobody is known to apply it."""
    class_name: str = ""
    why: str = ""
    """How that is known, or why nobody applies it."""
    certain: bool = True

    @property
    def is_served(self) -> bool:
        """Whether a controller is known."""
        return bool(self.name)


def serving(ingress: Ingress, classes: Iterable[IngressClass] | None) -> Serving:
    """Who applies an Ingress; `None` for classes that could not be read."""
    legacy = ingress.annotation(LEGACY_CLASS)
    if legacy:
        return _by_annotation(ingress, legacy, classes)
    if classes is None:
        return _nobody(ingress, "the IngressClasses could not be read", certain=False)
    known = list(classes)
    if ingress.class_name:
        return _by_name(ingress, ingress.class_name, known)
    return _without_class(ingress, known)


def _by_annotation(ingress: Ingress, legacy: str, classes: Iterable[IngressClass] | None) -> Serving:
    found = next((each for each in classes or () if each.name == legacy), None)
    controller = controller_named(found.controller) if found else controller_of_class(legacy)
    return Serving(
        ingress=ingress,
        controller=controller,
        name=found.controller if found else legacy,
        class_name=legacy,
        why=f"by the annotation {LEGACY_CLASS}: {legacy}, which is deprecated",
    )


def _by_name(ingress: Ingress, name: str, classes: list[IngressClass]) -> Serving:
    found = next((each for each in classes if each.name == name), None)
    if found is None:
        there = ", ".join(each.name for each in classes) or "none"
        return _nobody(ingress, f"there is no IngressClass {name} (there are: {there})")
    return Serving(
        ingress=ingress,
        controller=controller_named(found.controller),
        name=found.controller,
        class_name=name,
        why=f"IngressClass {name} is of {found.controller}",
    )


def _without_class(ingress: Ingress, classes: list[IngressClass]) -> Serving:
    defaults = [each for each in classes if each.is_default]
    candidates = defaults if len(defaults) == 1 else classes
    if len(candidates) != 1:
        why = "it names no class, and there is none" if not classes else "it names no class"
        return _nobody(ingress, f"{why}; a controller that takes Ingresses without class may apply it")
    (only,) = candidates
    kind = "the default class" if only.is_default else "the only class"
    return Serving(
        ingress=ingress,
        controller=controller_named(only.controller),
        name=only.controller,
        class_name=only.name,
        why=f"it names no class; {only.name} is {kind}, and gives it one only when it is made anew",
        certain=False,
    )


def _nobody(ingress: Ingress, why: str, *, certain: bool = True) -> Serving:
    return Serving(ingress=ingress, controller=unknown_controller(""), why=why, certain=certain)


def by_controller(servings: Iterable[Serving]) -> dict[str, list[Serving]]:
    """The Ingresses of each controller."""
    found: dict[str, list[Serving]] = {}
    for each in servings:
        if each.is_served:
            found.setdefault(each.name, []).append(each)
    return found
