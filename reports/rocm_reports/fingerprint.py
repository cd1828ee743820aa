# SPDX-License-Identifier: EUPL-1.2
"""What a run ran on, flat, and how two runs differ in it."""

from .statistics import as_dict

MAX_FACTS = 200


def flat(value, prefix=""):
    """{"gpus.0.driver": "6.7", …}: leaves as text, in the order of the file."""
    out = {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(
        value, list) else None
    if items is None:
        return {prefix: "" if value is None else str(value)} if prefix else {}
    for name, child in items:
        if len(out) >= MAX_FACTS:
            break
        out.update(flat(child, f"{prefix}.{name}" if prefix else str(name)))
    return out


def builds(run):
    """Every build of the server that the run used; the header may not know it yet."""
    found = [run.covariates.get("server_build"), run.server.get("build")]
    found += [as_dict(e.get("detail")).get("build") for e in run.servers_started()]
    return list(dict.fromkeys(str(b) for b in found if b))


def covariates(run):
    facts = flat(run.covariates)
    facts.pop("server_build", None)
    known = builds(run)
    return {"server_build": ", ".join(known), **facts} if known else facts


def identity(run):
    return flat(run.identity)


def settings(run):
    """What was asked of the server, per scenario, as the header resolved it."""
    out = {}
    listed = run.header.get("scenarios")
    for scenario in listed if isinstance(listed, list) else []:
        scenario = as_dict(scenario)
        out.update(flat(scenario.get("server"), f"{scenario.get('name', '')}: "))
    return {name.replace(": .", ": "): value for name, value in out.items()}


def differences(before, after):
    """[(name, old, new)…]; an absent one is None."""
    names = list(dict.fromkeys([*before, *after]))
    return [(n, before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)]


def changes(older, newer):
    """{"identity": […], "environment": […], "settings": […]} of two runs; empty ones left out.
    Settings of scenarios that only one of them ran are no change."""
    both = ({str(as_dict(s).get("name")) for s in r.header.get("scenarios") or []}
            if isinstance(r.header.get("scenarios"), list) else set() for r in (older, newer))
    shared = set.intersection(*both)

    def of_shared(run):
        return {n: v for n, v in settings(run).items() if n.partition(": ")[0] in shared}

    found = {"identity": differences(identity(older), identity(newer)),
             "environment": differences(covariates(older), covariates(newer)),
             "settings": differences(of_shared(older), of_shared(newer))}
    return {name: rows for name, rows in found.items() if rows}
