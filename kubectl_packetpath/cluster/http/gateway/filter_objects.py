"""Filters of a route, read from Kubernetes' JSON.

Kubernetes: https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter
"""

from collections.abc import Iterator

from kubectl_packetpath.cluster.fields import Json, number, optional_text, part, rows, text, texts
from kubectl_packetpath.cluster.http.decision import Backend, Reference
from kubectl_packetpath.cluster.http.gateway.model import Filter, PathChange


def filter_of(given: Json, namespace: str) -> Filter:
    """A filter of any type."""
    kind = text(given, "type")
    match kind:
        case "RequestRedirect":
            return _redirect(part(given, "requestRedirect"))
        case "URLRewrite":
            rewrite = part(given, "urlRewrite")
            return Filter(type=kind, hostname=text(rewrite, "hostname"), path=_path(rewrite))
        case "RequestMirror":
            return _mirror(part(given, "requestMirror"), namespace)
        case "RequestHeaderModifier":
            return Filter(type=kind, words=_header_words("request", part(given, "requestHeaderModifier")))
        case "ResponseHeaderModifier":
            return Filter(type=kind, words=_header_words("answer", part(given, "responseHeaderModifier")))
        case "ExtensionRef":
            other = part(given, "extensionRef")
            named = f"{text(other, 'kind')}.{text(other, 'group')} {text(other, 'name')}"
            return Filter(type=kind, words=f"passes the implementation's own filter {named}")
        case _:
            return Filter(type=kind, words=f"passes the filter {kind}")


def _redirect(given: Json) -> Filter:
    return Filter(
        type="RequestRedirect",
        scheme=text(given, "scheme"),
        hostname=text(given, "hostname"),
        port=number(given, "port"),
        status=number(given, "statusCode"),
        path=_path(given),
    )


def _path(given: Json) -> PathChange | None:
    change = part(given, "path")
    kind = text(change, "type")
    value = optional_text(change, "replaceFullPath" if kind == "ReplaceFullPath" else "replacePrefixMatch")
    return PathChange(type=kind, value=value or "") if kind else None


def _mirror(given: Json, namespace: str) -> Filter:
    target = part(given, "backendRef")
    port, percent, fraction = number(target, "port"), number(given, "percent"), part(given, "fraction")
    shown = f"{percent}%" if percent is not None else ""
    if fraction:
        shown = f"{number(fraction, 'numerator')}/{number(fraction, 'denominator') or 100}"
    reference = Reference(
        kind=text(target, "kind") or "Service",
        namespace=text(target, "namespace") or namespace,
        name=text(target, "name"),
        group=text(target, "group"),
    )
    mirror = Backend(target=reference, port=str(port) if port is not None else "")
    return Filter(type="RequestMirror", mirror=mirror, percent=shown)


def _header_words(whose: str, given: Json) -> str:
    return "; ".join(_changes(whose, given))


def _changes(whose: str, given: Json) -> Iterator[str]:
    for verb, key in (("sets", "set"), ("adds", "add")):
        named = [f"{text(each, 'name')}: {text(each, 'value')}" for each in rows(given, key)]
        if named:
            yield f"{verb} {whose} headers {', '.join(named)}"
    gone = texts(given, "remove")
    if gone:
        yield f"removes {whose} headers {', '.join(gone)}"
