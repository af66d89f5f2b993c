"""The five verbs on a cluster: Helm releases are the slots, a VirtualService is the traffic.

The API server is asked what was said, the gateway what is true: a verb returns once the gateway would do as it says. Helm
never renders a weight; routes are written by server-side apply, so that whoever else writes them is known by name.
"""

from collections.abc import Callable, Sequence
from typing import Any

from platforms.kubernetes import obstacles, pods, routes
from platforms.kubernetes.client import WORTH_TELLING, Cluster
from platforms.kubernetes.gateway import Gateway, Host
from platforms.kubernetes.held import Held
from platforms.kubernetes.helm import Helm
from platforms.kubernetes.ownership import OwnedRoutes
from platforms.kubernetes.waiting import Watched
from strategies.errors import CouldNotRun, NotReady
from strategies.plan import Release, Replace, Replacement
from strategies.platform import SlotState, State
from strategies.traffic import Slot, Traffic
from strategies.waiting import Clock, wait_until

Json = dict[str, Any]

VERSION_LABEL = "lab/version"


class KubernetesPlatform:
    """Two slots of pods in `namespace` behind Istio's gateway, written under the lease `held`.

    `timeout` is what a verb has until it is true, in seconds. `note` takes a sentence about a change of routes that took long.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        namespace: str,
        helm: Helm,
        gateway: Gateway,
        owned: OwnedRoutes,
        held: Held | None,
        clock: Clock,
        timeout: float,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._helm = helm
        self._gateway = gateway
        self._routes = owned
        self._held = held
        self._clock = clock
        self._timeout = timeout
        self._note = note

    def deploy(self, slot: Slot, release: Release) -> None:
        """See `strategies.platform.Platform`. Another version in the slot is retired first: weight 0, then exchange, then weight.

        Raises:
            NotReady: a pod cannot start or was not ready in time, with the cluster's own words.
        """
        deployment = self._deployment(slot)
        if deployment and _version(deployment) != release.version:
            self.retire(slot)
        self._helm.install(slot, release)
        self._wait_until_running(slot, release)

    def replace(self, step: Replace, meanwhile: Callable[[], None] = lambda: None) -> None:
        """See `strategies.platform.Platform`. It is the Deployment's own controller that exchanges the pods."""
        strategy: Json = {"type": "Recreate"}
        if step.how is Replacement.ROLLING:
            strategy = {"type": "RollingUpdate", "maxSurge": step.max_surge, "maxUnavailable": step.max_unavailable}
        self._helm.install(step.slot, step.release, strategy)
        self._wait_until_running(step.slot, step.release, meanwhile)

    def route(self, traffic: Traffic) -> None:
        """See `strategies.platform.Platform`. Returns once every pod of the gateway has the routes."""
        names = self._routes.write(traffic)
        seconds = wait_until(
            lambda: self._gateway.has_routes(names),
            timeout=self._timeout,
            clock=self._clock,
            every=0.02,
            reason=lambda: "the gateway has not taken the new routes; see whether istiod runs",
        )
        if seconds >= WORTH_TELLING:
            self._note(f"the gateway took the new routes only after {seconds:.0f} s; see whether istiod is well")

    def claim(self) -> None:
        """Before a rollout begins: have everybody at stable by routes of our own.

        Raises:
            RouteRefused: somebody else wrote them last and nobody asked to take them back, or claims the gateway's requests.
        """
        self._routes.require_no_rival()
        traffic = self._routes.foreign()
        if traffic:
            self.route(traffic)

    def retire(self, slot: Slot) -> None:
        """See `strategies.platform.Platform`.

        Raises:
            CouldNotRun: the slot still gets traffic, maybe by somebody else's routes.
        """
        traffic = self._routes.traffic()
        if traffic and traffic.percent(slot) and self._deployment(slot):
            raise CouldNotRun(f"{slot} gets {traffic.percent(slot)} % of the traffic and cannot be retired; route it away first")
        self._routes.require_no_rival_to(slot)
        self._helm.uninstall(slot)
        with self._pods(slot) as watched:
            wait_until(
                lambda: watched.known and all(map(pods.finished, watched.objects())) and not self._hosts(slot),
                timeout=self._timeout,
                clock=self._clock,
                reason=lambda: watched.problem or f"{len(watched.objects())} pods of {slot} have not ended",
            )

    def observe(self) -> State:
        """See `strategies.platform.Platform`.

        Raises:
            RouteRefused: somebody else changed the routes.
        """
        hosts = self._gateway.hosts()
        return State(traffic=self._routes.traffic(), slots={slot: self._slot(slot, hosts) for slot in Slot})

    def require_own_routes(self) -> None:
        """Return if users' requests are shared as they were last asked to be; where that was asked for, routes are taken back first.

        Raises:
            RouteRefused: somebody else changed the routes, or claims the gateway's requests.
            TakenOver: it is not ours any more to judge what they do.
        """
        if self._held:
            self._held.notice()
        self._routes.check()

    def instances(self) -> dict[str, Slot]:
        """The replicas that users may be sent to, as Prometheus names them: its scrapes of these must be up.

        Asked again and again during an analysis, so it is also where somebody else's routes are noticed then.

        Raises:
            RouteRefused, TakenOver: as `require_own_routes` does.
        """
        self.require_own_routes()
        return {host.address: host.slot for host in self._gateway.hosts() if host.healthy}

    # --- replicas ------------------------------------------------------------------------------------------------

    def _slot(self, slot: Slot, hosts: Sequence[Host]) -> SlotState:
        deployment = self._deployment(slot)
        own = [host for host in hosts if host.slot is slot]
        return SlotState(
            version=_version(deployment) if deployment else "",
            replicas=int(deployment["spec"].get("replicas", 1)) if deployment else 0,
            ready=sum(host.healthy for host in own),
            in_flight=sum(host.in_flight for host in own),
        )

    def _wait_until_running(self, slot: Slot, release: Release, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the gateway would send requests to exactly the pods of `release`."""
        with self._pods(slot) as watched:

            def running() -> bool:
                meanwhile()
                deployment = self._deployment(slot)
                if not watched.known or deployment is None:
                    return False
                found = [pod for pod in watched.objects() if not pods.finished(pod)]
                mine = [pod for pod in found if pod["metadata"]["labels"].get(VERSION_LABEL) == release.version]
                self._give_up_if_hopeless(slot, release, deployment, mine)
                ready = {pods.address(pod, routes.PORT) for pod in mine if pods.ready(pod)}
                if len(found) != release.replicas or len(ready) != release.replicas:
                    return False
                return {host.address for host in self._hosts(slot) if host.healthy} == ready

            wait_until(
                running,
                timeout=self._timeout,
                clock=self._clock,
                every=0.1,
                reason=lambda: watched.problem or self._obstacle(slot, release, watched.objects()),
            )

    def _give_up_if_hopeless(self, slot: Slot, release: Release, deployment: Json, mine: Sequence[Json]) -> None:
        who = f"{release.version} in {slot}"
        if reason := pods.refused(deployment):
            raise NotReady(f"{who} may not run: {reason}")
        for pod in mine:
            if reason := pods.hopeless(pod):
                words = obstacles.last_words(self._cluster, self._namespace, pod, pods.crashed_container(pod))
                raise NotReady(f"{who} cannot start: {reason}{words}")

    def _obstacle(self, slot: Slot, release: Release, found: Sequence[Json]) -> str:
        """Why the release is not ready, as far as the cluster tells."""
        who = f"{release.version} in {slot}"
        alive, lost = [pod for pod in found if not pods.finished(pod)], pods.lost(found)
        waiting = [pod for pod in alive if not pods.leaving(pod) and not pods.ready(pod)]
        if waiting:
            why = obstacles.of_pod(self._cluster, self._namespace, waiting[0])
            return f"{who} is not ready: {why}{lost}"
        leaving = sum(pods.leaving(pod) for pod in alive)
        if leaving:
            return f"{leaving} pods of {slot} have not ended"
        if lost and len(alive) < release.replicas:
            return f"{who} has {len(alive)} of {release.replicas} pods{lost}"
        return f"the gateway does not find all {release.replicas} replicas of {who} ready, though they are; see whether istiod runs"

    def _hosts(self, slot: Slot) -> list[Host]:
        return [host for host in self._gateway.hosts() if host.slot is slot]

    def _pods(self, slot: Slot) -> Watched:
        selector = f"app.kubernetes.io/instance={routes.release_name(slot)},app.kubernetes.io/name={routes.NAME}"
        return Watched(self._cluster, f"/api/v1/namespaces/{self._namespace}/pods", labelSelector=selector)

    def _deployment(self, slot: Slot) -> Json | None:
        found = self._cluster.get(f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{routes.release_name(slot)}")
        # a deletion in the foreground keeps the object until its pods have gone
        return None if found is None or found["metadata"].get("deletionTimestamp") else found


def _version(deployment: Json) -> str:
    """The version that a slot's pods are made with."""
    return str(deployment["spec"]["template"]["metadata"]["labels"].get(VERSION_LABEL, ""))
