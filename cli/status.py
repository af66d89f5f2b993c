"""What runs, told without touching anything."""

from typing import Any

from cli.settings import Settings

Found = dict[str, Any]


def describe(places: Settings) -> Found:
    """The lab, its slots, who gets the traffic, and the run that changes it or that was left behind."""
    from cli.lock import held, read_holder
    from platforms.local import processes
    from platforms.local.envoy_admin import EnvoyAdmin
    from platforms.local.state import StateFile
    from strategies.errors import ToolFailed
    from strategies.traffic import Slot

    lab = StateFile(places.home).read()
    holder = read_holder(places.home) if held(places.home) else None
    if lab is None:
        return {"lab": None, "holder": holder.doing if holder else None}
    admin = EnvoyAdmin(lab.admin_port)
    try:
        traffic, healthy = admin.traffic(), {host.port for host in admin.hosts() if host.healthy}
    except ToolFailed:
        traffic, healthy = None, set()
    slots = {
        slot.value: {
            "role": str(traffic.role(slot)) if traffic else None,
            "version": next((replica.version for replica in lab.in_slot(slot)), None),
            "percent": traffic.percent(slot) if traffic else None,
            "replicas": len(lab.in_slot(slot)),
            "ready": sum(replica.port in healthy and processes.alive(replica.process) for replica in lab.in_slot(slot)),
        }
        for slot in Slot
    }
    return {
        "lab": {
            "gateway": f"http://127.0.0.1:{lab.gateway_port}",
            "prometheus": f"http://127.0.0.1:{lab.prometheus_port}",
            "processes": [{"name": p.name, "pid": p.pid, "alive": processes.alive(p)} for p in lab.processes()],
        },
        "slots": slots,
        "holder": holder.doing if holder else None,
        "run": lab.run or None,
        "left_behind": bool(lab.run) and holder is None,
    }


def tell(found: Found) -> None:
    """The same for people."""
    lines = _lines(found)
    print("\n".join(lines))


def _lines(found: Found) -> list[str]:
    doing = [f"under way: {found['holder']}"] if found["holder"] else []
    if found["lab"] is None:
        return [*doing, "no lab runs here; `labctl up` starts one"]
    lab = found["lab"]
    lines = [f"gateway     {lab['gateway']}", f"prometheus  {lab['prometheus']}"]
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
