"""The VirtualService in the cluster, and who else writes it.

Forward, nothing of somebody else is overwritten unasked: the API server itself refuses what another field manager owns, and
names it. The way back must not be stopped by anybody: it overwrites, and says whose it was. The number of a newer run in
the object refuses every older one; the object's version makes reading that number and writing one step.
"""

import re
from collections.abc import Callable
from time import time_ns
from typing import Any

from platforms.kubernetes import routes
from platforms.kubernetes.client import ApiRefused, Cluster
from platforms.kubernetes.held import Held
from strategies.errors import RouteRefused
from strategies.traffic import Slot, Traffic

Json = dict[str, Any]

ATTEMPTS = 5
"""Writes that lost a race with somebody else's before one gives up: a controller that fights back would never let us win."""
_OWNERS = re.compile(r'conflicts? with "([^"]+)"')


class OwnedRoutes:
    """The routes of the lab in `namespace`.

    `held` is the lease under which they are written; `note` takes sentences for the record. With `reclaim`, what somebody
    else changed is taken back also on the way forward.
    """

    def __init__(self, cluster: Cluster, namespace: str, *, held: Held | None, note: Callable[[str], None], reclaim: bool) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._collection = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices"
        self._held = held
        self._note = note
        self._reclaim = reclaim

    def read(self) -> Json | None:
        """The VirtualService as it is; None before the first."""
        return self._cluster.get(f"{self._collection}/{routes.NAME}")

    def traffic(self) -> Traffic | None:
        """The traffic that it stands for; None before the first.

        Raises:
            RouteRefused: somebody changed it, so that it no longer does what it says.
        """
        found = self.read()
        return None if found is None else self._traffic(found)

    def write(self, traffic: Traffic) -> frozenset[str]:
        """Have it say `traffic`; the names of the routes that the gateway must take for it to be true.

        Raises:
            LockHeld: the lease is not ours any more.
            RouteRefused: a newer run or another field manager owns it, or the cluster finds it wrong.
        """
        for _ in range(ATTEMPTS):
            if self._held:
                self._held.check()
            before = self.read()
            names = self._write_over(before, traffic)
            if names is not None:
                return names
        raise RouteRefused(f"the routes change faster than they can be written; {_named(self.read())} writes them too")

    def foreign(self) -> Traffic | None:
        """The traffic to have instead before a rollout begins, where somebody else wrote last: stable alone. None if labctl did.

        Raises:
            RouteRefused: somebody else did, and nobody asked to take the routes from them.
        """
        found = self.read()
        others = routes.writers(found) if found else ()
        if not found or not others:
            return None
        traffic = routes.noted_traffic(found)
        if not self._reclaim or traffic is None:
            raise RouteRefused(
                f"{', '.join(others)} wrote the routes last, and they are not overwritten unasked; take them with --on-drift reclaim"
                if traffic
                else f"{', '.join(others)} wrote routes that do not say which slot is stable; remove the VirtualService {routes.NAME} first"
            )
        return Traffic(stable=traffic.stable)

    def check(self) -> None:
        """Return if the routes are as they were last written, and nobody else claims the gateway's requests.

        Raises:
            RouteRefused: they are not; the sentence names the field manager.
        """
        found = self.read()
        traffic = routes.noted_traffic(found) if found else None
        if self._reclaim and found and traffic and not routes.stands_for(found, traffic):
            self.write(traffic)
        elif found:
            self._traffic(found)
        self.require_no_rival()

    def require_no_rival(self) -> None:
        """Return if nobody else claims the gateway's requests. Another's object is not taken, also where routes are taken back.

        Raises:
            RouteRefused: somebody does; the sentence names the VirtualService and its field manager.
        """
        rivals = self._rivals()
        if rivals:
            raise RouteRefused(f"{_told(rivals[0])} claims the gateway's requests too; remove it, then try again")

    def require_no_rival_to(self, slot: Slot) -> None:
        """Return unless another VirtualService may send the gateway's requests to `slot`, so that its users would lose it.

        Raises:
            RouteRefused: one may.
        """
        for rival in self._rivals():
            if routes.may_lead_to(rival, slot, self._namespace):
                raise RouteRefused(f"{_told(rival)} sends users to {slot}, which is not stopped under them; remove it, then try again")

    def _rivals(self) -> tuple[Json, ...]:
        return routes.rivals(self._cluster.items("/apis/networking.istio.io/v1/virtualservices"), self._namespace)

    def _traffic(self, found: Json) -> Traffic:
        traffic = routes.noted_traffic(found)
        if traffic is None or not routes.stands_for(found, traffic):
            said = f"no longer give the candidate {traffic.in_words()}" if traffic else "do not say what they stand for"
            raise RouteRefused(f"{_named(found)} changed the routes, which {said}; put them back, or take them with --on-drift reclaim")
        return traffic

    def _write_over(self, before: Json | None, traffic: Traffic) -> frozenset[str] | None:
        """Write once; None if somebody else wrote in between."""
        generation = self._held.generation if self._held else 0
        owner = routes.noted_generation(before) if before else 0
        if owner > generation:
            raise RouteRefused(f"a newer rollout (number {owner}) owns the routes, and this one is number {generation}")
        wanted = routes.virtual_service(traffic, namespace=self._namespace, generation=generation, mark=str(time_ns()))
        if before:
            wanted["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        try:
            self._apply(wanted, before, force=self._reclaim or _leads_back(before, traffic))
        except ApiRefused as error:
            if error.status == 404:
                # it was removed after it was read
                return None
            if error.status != 409:
                raise RouteRefused(f"the cluster refused the routes: {error.said}") from error
            owners = dict.fromkeys(_OWNERS.findall(error.said))
            if not owners:
                return None
            raise RouteRefused(
                f"{', '.join(owners)} changed the routes, which are not overwritten unasked; put them back, or take them with "
                "--on-drift reclaim"
            ) from error
        return routes.route_names(wanted)

    def _apply(self, wanted: Json, before: Json | None, *, force: bool) -> None:
        path = f"{self._collection}/{routes.NAME}"
        taken = before and routes.writers(before)
        self._cluster.apply(path, wanted, force=force)
        if force and taken:
            self._note(f"the routes that {', '.join(taken)} had changed were taken back")


def _leads_back(before: Json | None, traffic: Traffic) -> bool:
    """Whether `traffic` does nothing but give stable everything: the way back, which nobody's edit may stop.

    A promotion gives everything to one slot too, but to another than before.
    """
    noted = routes.noted_traffic(before) if before else None
    nothing = Traffic(stable=traffic.stable, forget=traffic.forget)
    return traffic == nothing and (noted is None or noted.stable is traffic.stable)


def _told(rival: Json) -> str:
    return f"the VirtualService {rival['metadata']['namespace']}/{rival['metadata']['name']}, written by {_named(rival)},"


def _named(virtual_service: Json | None) -> str:
    others = routes.writers(virtual_service) if virtual_service else ()
    return others[0] if others else "somebody who gave no other name than labctl's"
