"""``cluster.client``: :class:`steersman.client.HTTPClient` on the cluster's loop, for those who block and who await."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steersman.api.scheme import Scheme
from steersman.client.client import Client
from steersman.client.http import HTTPClient

from .faces import Face, awaitable, awaitable_iterator, blocking, blocking_iterator


class BlockingClient(Face[HTTPClient]):
    """The methods of :class:`steersman.client.Client`, which wait for the answer; ``watch`` is a plain iterator."""

    @property
    def scheme(self) -> Scheme:
        """The resources that the client knows."""
        return self._inner.scheme

    get = blocking(HTTPClient.get)
    list = blocking(HTTPClient.list)
    list_metadata = blocking(HTTPClient.list_metadata)
    watch = blocking_iterator(HTTPClient.watch)
    watch_metadata = blocking_iterator(HTTPClient.watch_metadata)
    create = blocking(HTTPClient.create)
    update = blocking(HTTPClient.update)
    patch = blocking(HTTPClient.patch)
    apply = blocking(HTTPClient.apply)
    delete = blocking(HTTPClient.delete)
    delete_collection = blocking(HTTPClient.delete_collection)
    create_subresource = blocking(HTTPClient.create_subresource)
    get_subresource = blocking(HTTPClient.get_subresource)
    raw = blocking(HTTPClient.raw)
    close = blocking(HTTPClient.close)


class AsyncClient(Face[HTTPClient]):
    """A :class:`steersman.client.Client` for any event loop, and for several: controllers of the kit take it, too."""

    @property
    def scheme(self) -> Scheme:
        """The resources that the client knows."""
        return self._inner.scheme

    get = awaitable(HTTPClient.get)
    list = awaitable(HTTPClient.list)
    list_metadata = awaitable(HTTPClient.list_metadata)
    watch = awaitable_iterator(HTTPClient.watch)
    watch_metadata = awaitable_iterator(HTTPClient.watch_metadata)
    create = awaitable(HTTPClient.create)
    update = awaitable(HTTPClient.update)
    patch = awaitable(HTTPClient.patch)
    apply = awaitable(HTTPClient.apply)
    delete = awaitable(HTTPClient.delete)
    delete_collection = awaitable(HTTPClient.delete_collection)
    create_subresource = awaitable(HTTPClient.create_subresource)
    get_subresource = awaitable(HTTPClient.get_subresource)
    raw = awaitable(HTTPClient.raw)
    close = awaitable(HTTPClient.close)


if TYPE_CHECKING:

    def _is_a_client(client: AsyncClient) -> Client:
        return client
