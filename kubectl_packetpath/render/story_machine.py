"""A request and its connections for programs: JSON and YAML, as docs/reference-json.md says."""

from collections.abc import Iterator

from kubectl_packetpath.cluster.http.decision import Considered, Decision, Share
from kubectl_packetpath.cluster.http.live.drift import View
from kubectl_packetpath.cluster.http.plan import Plan
from kubectl_packetpath.cluster.http.story import Stories, Story
from kubectl_packetpath.cluster.http.tls.serving import Shown
from kubectl_packetpath.cluster.naming.resolver import Resolver
from kubectl_packetpath.cluster.naming.resolving import Resolution
from kubectl_packetpath.findings import findings_of_proxy
from kubectl_packetpath.render.findings import finding_of
from kubectl_packetpath.render.machine import JSON_SCHEMA, Json, document, json_lines, yaml_lines
from kubectl_packetpath.render.style import Style, clean


def story_document(found: Stories) -> Json:
    """All of it as plain data."""
    return {
        "schema": JSON_SCHEMA,
        "target": clean(found.target),
        "end": found.family,
        "notes": [clean(note) for note in found.notes],
        "requests": [_story(each) for each in found.stories],
    }


def _story(found: Story) -> Json:
    return {
        "title": clean(found.title),
        "end": found.family,
        "decision": _decision(found.plan, found.plan.decision) if found.plan is not None else None,
        "tls": _shown(found.shown) if found.shown is not None else None,
        "dns": _resolution(found.resolution, found.resolver) if found.resolution is not None else None,
        "encryption": [
            {
                "from": clean(each.start),
                "to": clean(each.end),
                "encrypted": each.encrypted,
                "how": clean(each.how),
            }
            for each in found.encryption
        ],
        "proxies": [_view(each) for each in found.live.views],
        "notes": [*(clean(note) for note in found.live.notes), *(clean(note) for note in found.notes)],
        "connections": [{"title": clean(each.title), "answer": document(each.answer)} for each in found.told],
    }


def _view(view: View) -> Json:
    return {
        "pod": clean(view.pod),
        "node": clean(view.node),
        "read": not view.unseen,
        "agrees": None if view.unseen or view.undecided else not view.drifts,
        "why": clean(view.unseen or view.undecided),
        "findings": [finding_of(each) for each in findings_of_proxy(view)],
    }


def _decision(plan: Plan, decision: Decision) -> Json:
    request = decision.request
    return {
        "request": {
            "url": clean(request.url),
            "host": clean(request.host),
            "path": clean(request.path),
            "method": clean(request.method),
            "headers": {clean(name): clean(value) for name, value in request.headers},
            "port": request.port,
        },
        "controller": {
            "product": plan.controller.product,
            "name": clean(plan.name),
            "pods": [clean(pod.full_name) for pod in plan.entrance.pods],
            "services": [clean(each.full_name) for each in plan.entrance.services],
            "reach": plan.settings.reach.name.lower(),
        },
        "result": str(decision.result),
        "status": decision.status,
        "location": clean(decision.location),
        "reason": clean(decision.reason),
        "certain": decision.is_certain,
        "chosen": _rule(decision.chosen) if decision.chosen is not None else None,
        "backends": [_share(each) for each in decision.shares],
        "changes": [clean(each) for each in decision.changes],
        "doubts": [clean(each) for each in decision.doubts],
        "notes": [clean(each) for each in decision.notes],
        "rules": [_rule(each) for each in decision.considered],
    }


def _rule(each: Considered) -> Json:
    return {
        "kind": clean(each.source.kind),
        "namespace": clean(each.source.namespace),
        "name": clean(each.source.name),
        "place": clean(each.place),
        "rule": clean(each.words),
        "fate": str(each.fate),
        "why": clean(each.why),
    }


def _share(each: Share) -> Json:
    return {
        "kind": clean(each.backend.target.kind),
        "namespace": clean(each.backend.target.namespace),
        "name": clean(each.backend.target.name),
        "port": clean(each.backend.port),
        "weight": float(each.weight),
        "problem": clean(each.problem),
        "status": each.status,
        "changes": [clean(change) for change in each.changes],
    }


def _shown(shown: Shown) -> Json:
    return {
        "source": clean(shown.source),
        "secret": clean(str(shown.secret)) if shown.secret is not None else None,
        "chain": [
            {
                "subject": clean(each.subject),
                "issuer": clean(each.issuer),
                "names": [*map(clean, each.names), *map(str, each.addresses)],
                "not_before": each.not_before.isoformat(),
                "not_after": each.not_after.isoformat(),
                "fingerprint": each.fingerprint,
            }
            for each in shown.chain
        ],
        "problems": [clean(each) for each in shown.problems],
        "notes": [clean(each) for each in shown.notes],
        "unknown": clean(shown.unknown),
    }


def _resolver(found: Resolver) -> Json:
    conf = found.conf
    return {
        "from_file": found.from_file,
        "pod": clean(found.pod) or None,
        "node": clean(found.node) or None,
        "unread": clean(found.unread),
        "servers": [clean(each) for each in conf.asked_servers],
        "search": [clean(each) for each in conf.search],
        "ndots": conf.ndots,
        "timeout_seconds": conf.timeout_seconds,
        "attempts": conf.attempts,
        "options": [clean(each) for each in conf.options],
        "zone": clean(found.zone),
        "cache": clean(found.cache),
        "foreign": clean(found.foreign),
        "differences": [{"text": clean(each.text), "certain": each.certain} for each in found.differences],
    }


def _resolution(found: Resolution, resolver: Resolver | None) -> Json:
    return {
        "name": clean(found.name),
        "resolver": _resolver(resolver) if resolver is not None else None,
        "questions": found.questions,
        "addresses": [str(each) for each in found.addresses],
        "certain": found.is_certain,
        "asked": [
            {
                "name": clean(each.candidate.name),
                "code": str(each.last.code),
                "aliases": [clean(answer.name) for answer in each.answers[1:]],
                "why": clean(each.last.why),
            }
            for each in found.asked
        ],
    }


def story_json(found: Stories, _style: Style) -> Iterator[str]:
    """JSON, indented."""
    yield from json_lines(story_document(found))


def story_yaml(found: Stories, _style: Style) -> Iterator[str]:
    """The same as YAML."""
    yield from yaml_lines(story_document(found))
