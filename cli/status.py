"""What runs, told without touching anything."""

from cli.labs import Found


def tell(found: Found) -> None:
    """The same for people."""
    lines = _lines(found)
    print("\n".join(lines))


def _lines(found: Found) -> list[str]:
    doing = [f"under way: {found['holder']}"] if found["holder"] else []
    if found["lab"] is None:
        return [*doing, "no lab runs here; `labctl up` starts one"]
    lab = found["lab"]
    lines = [
        f"gateway     {lab['gateway'] or 'not known here; set LAB_GATEWAY_URL'}",
        f"prometheus  {lab['prometheus'] or 'not known here; set LAB_PROMETHEUS_URL'}",
    ]
    if lab.get("grafana"):
        lines.append(f"grafana     {lab['grafana']}")
    for slot, state in found["slots"].items():
        if state["version"]:
            ready = f"{state['ready']} of {state['replicas']} replicas ready"
            share = "no routes" if state["percent"] is None else f"{state['percent']} % of the traffic"
            lines.append(f"{slot:<12}{state['version']}, {state['role'] or 'no role'}, {ready}, {share}")
    dead = [process["name"] for process in lab["processes"] if not process["alive"]]
    if dead:
        lines.append(f"not running any more: {', '.join(dead)}")
    if found["left_behind"]:
        lines.append(f"left behind by a labctl that died: {found['run']}; go on with `labctl resume` or `labctl abort`")
    return lines + doing
