"""The controller: one website at a time, from what is wanted to what is."""

from steersman.api.types.apps_v1 import Deployment
from steersman.api.types.core_v1 import ConfigMap, Service
from steersman.client import Condition, Selectors, StatusError, copy, is_conflict, object_key
from steersman.controllers.kit import (
    Controller,
    ControllerContext,
    add_finalizer,
    is_deleting,
    is_true,
    remove_finalizer,
    with_condition,
)

from .desired import children, listing
from .types import Website

FINALIZER = "example.com/listed"


class WebsiteController(Controller):
    """Keys are websites."""

    name = "website-controller"

    def __init__(self, context: ControllerContext, namespace: str = "") -> None:
        super().__init__(context)
        self.websites = self.watch(Website, lambda website: [object_key(website)], namespace=namespace)
        self.deployments = self.watch_owned(Deployment, Website, namespace=namespace)
        self.watch_owned(ConfigMap, Website, namespace=namespace)
        self.watch_owned(Service, Website, namespace=namespace)
        hosts = Selectors(fields="metadata.name=hosts")
        self.watch(ConfigMap, self._websites_beside, namespace=namespace, selectors=hosts)

    def _websites_beside(self, hosts: ConfigMap) -> list[str]:
        return [object_key(website) for website in self.websites.lister.list(hosts.metadata.namespace)]

    async def reconcile(self, key: str) -> float | None:
        """Read everything, then act; nothing is remembered from one call to the next."""
        website = self.websites.lister.by_key(key)
        if website is None:
            return None
        if is_deleting(website):
            # The children go by their owner references; the list is nobody's child.
            await self._list(website, listed=False)
            await remove_finalizer(self.client, website, FINALIZER)
            return None
        website = await add_finalizer(self.client, website, FINALIZER)
        problem = await self._list(website, listed=True)
        for which, configuration in children(website):
            await self.client.apply(which, configuration, field_manager=self.name, force=True)
        await self._update_status(website, problem)
        return None

    async def _list(self, website: Website, *, listed: bool) -> str:
        """Put the website on the list or take it off; what is in the way, if anything.

        Each website manages its own entry (server-side apply): who applies without it removes it.
        """
        manager = f"{self.name}-{website.metadata.uid}"
        try:
            await self.client.apply(ConfigMap, listing(website, listed=listed), field_manager=manager)
        except StatusError as error:
            if not is_conflict(error):
                raise
            return f"{website.spec.host} is the host of another website"
        return ""

    async def _update_status(self, website: Website, problem: str) -> None:
        deployment = self.deployments.lister.by_key(object_key(website))
        ready = (deployment.status.ready_replicas if deployment else None) or 0
        if problem:
            condition = Condition(type="Ready", status="False", reason="HostTaken", message=problem)
        elif ready < (website.spec.replicas or 0):
            condition = Condition(type="Ready", status="False", reason="Starting", message=f"{ready} pods are ready")
        else:
            condition = Condition(type="Ready", status="True", reason="Serving", message="all pods are ready")
        changed = copy(website)
        changed.status.observed_generation = website.metadata.generation
        changed.status.ready_replicas = ready
        changed.status.conditions = with_condition(website.status.conditions, condition)
        if changed == website:
            return
        await self.client.update(changed, subresource="status")
        if is_true(changed.status.conditions, "Ready") and not is_true(website.status.conditions, "Ready"):
            self.recorder.event(website, "Normal", "Serving", f"http://{website.spec.host} is served")
        elif problem:
            self.recorder.event(website, "Warning", "HostTaken", problem)
