"""Takes objects through their stages.

A change of an object chooses the stage that it is to go through; the stage comes at once or after its delay, and what
it brings about is written.  Only what is to come is remembered: at most one job for each object, which is dropped or
replaced when the object changes.  A write says which version it was decided upon, so that whoever loses a race has
lost nothing: the newer version comes, and is decided about.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Container, Iterator
from typing import Any, Generic, TypeVar

import msgspec

from steersman.api.clock import Clock
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Object
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.client import Client
from steersman.client.events import EventRecorder

from .addresses import Exhausted
from .complaints import Complaints
from .crew import Crew
from .stage import Amend, Apply, Outcome, Place, Stage, StageFault, Subject, Tell, draw
from .timers import Timers

T = TypeVar("T", bound=Object)

FIRST_RETRY, LAST_RETRY = 1.0, 60.0
FIRST_APPEAL, LAST_APPEAL = 60.0, 3600.0
"""Of what the server does not want as it is: it is asked again for the case that its rules have changed."""

UNWANTED = frozenset({400, 405, 413, 415, 422})
"""Codes of answers that are the same the next time."""

MOST_IMMEDIATE = 16
"""So many stages follow each other without looking at what others wrote."""

FIELD_MANAGER = "kwok"

FAILED = "FailedStage"
"""The reason of the event about an object that does not get through its stage."""

LONG = 30.0
"""Seconds: who waits longer is asked for again then, and not kept meanwhile."""


class _Job(Generic[T]):
    """An object that is to go through a stage; without a stage, one that is not to any more.

    ``object`` is None where it is asked for by ``key`` once it is due.
    """

    __slots__ = ("attempts", "key", "object", "stage", "uid", "waits")

    def __init__(self, obj: T, stage: Stage, delay: float) -> None:
        metadata = obj.metadata
        self.uid = metadata.uid
        self.key = (metadata.namespace, metadata.name)
        self.object: T | None = obj if delay < LONG else None
        self.stage: Stage | None = stage
        self.waits = delay > 0
        self.attempts = 0


class Keeper(Generic[T]):
    """The objects of one kind; :meth:`observe` and :meth:`forget` never wait.

    ``place_of`` is None for objects that are nobody's here.  ``lost`` is told of addresses that were
    given and not written.
    """

    def __init__(
        self,
        type_: type[T],
        stages: tuple[Stage, ...],
        client: Client,
        clock: Clock,
        rng: random.Random,
        recorder: EventRecorder,
        workers: int,
        place_of: Callable[[T], Place | None],
        lost: Callable[[T, list[str]], None] = lambda _, __: None,
    ) -> None:
        self._type = type_
        self._stages = stages
        self._client = client
        self._clock = clock
        self._rng = rng
        self._recorder = recorder
        self._place_of = place_of
        self._lost = lost
        self._jobs: dict[str, _Job[T]] = {}
        """By uid: what is to come, but for what is being done."""
        self._failed: dict[str, _Job[T]] = {}
        """Those of them that are to be tried again, as long as they wait."""
        self._busy: set[str] = set()
        """Uids of objects that are being written: another job of theirs waits for the end of that."""
        self._complaints = Complaints(clock)
        self._timers: Timers[_Job[T]] = Timers(clock, self._due)
        self._crew: Crew[_Job[T]] = Crew(f"simulated {type_.__name__}", workers, self._do)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """Whether objects are to be written now or within so many seconds."""
        yield from self._crew.unfinished()
        if self._timers.soon(soon):
            yield f"simulated {self._type.__name__}: the next stage of one"

    def hurry(self) -> list[str]:
        """Try again at once what failed; returns what that is."""
        jobs, self._failed = self._failed, {}
        for uid, job in jobs.items():
            # Its timer, which comes in vain then, has another one's.
            self._jobs[uid] = again = copy.copy(job)
            again.attempts -= 1
            job.stage = None
            self._due(again)
        return [f"simulated {self._type.__name__} {'/'.join(job.key)}" for job in jobs.values()]

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            await self._crew.run()
        finally:
            self._timers.stop()

    def observe(self, obj: T) -> None:
        """Decide what an object that is new or has changed goes through next."""
        if (subject := self._subject(obj)) is None:
            return
        uid = obj.metadata.uid
        job = self._jobs.get(uid)
        if job is not None:
            if self._goes_on(job, subject):
                if job.object is not None:
                    job.object = obj  # in the time that it has
                return
            self._drop(uid)
        if (stage := self._choose(subject)) is None or (delay := self._delay(stage, subject)) is None:
            return
        self._jobs[uid] = job = _Job(obj, stage, delay)
        if job.waits:
            self._timers.add(delay, job)
        elif uid not in self._busy:
            self._crew.add(job)

    def forget(self, obj: T) -> None:
        """An object is gone."""
        self._drop(obj.metadata.uid)

    def retain(self, uids: Container[str]) -> None:
        """No others are there any more."""
        for uid in [uid for uid in self._jobs if uid not in uids]:
            self._drop(uid)

    def is_busy(self, uid: str) -> bool:
        """Whether an object is being written."""
        return uid in self._busy

    def _drop(self, uid: str) -> None:
        if (job := self._jobs.pop(uid, None)) is not None:
            job.object = job.stage = None
            self._failed.pop(uid, None)

    def _subject(self, obj: T) -> Subject | None:
        place = self._place_of(obj)
        return Subject(obj, place, self._clock.now().replace(microsecond=0), self._rng) if place is not None else None

    def _goes_on(self, job: _Job[T], subject: Subject) -> bool:
        """Whether what is to come stays as it is although the object has changed."""
        stage = job.stage
        return stage is not None and not stage.delay_moves and not job.attempts and self._matches(stage, subject)

    def _choose(self, subject: Subject) -> Stage | None:
        matching = [stage for stage in self._stages if self._matches(stage, subject)]
        try:
            return draw(matching, subject)
        except StageFault as error:
            self._complaints.log(" or ".join(stage.name for stage in matching), self._name(subject.object), error)
            return None

    def _delay(self, stage: Stage, subject: Subject) -> float | None:
        try:
            return stage.delay(subject) if stage.delay is not None else 0.0
        except StageFault as error:
            self._give_up(stage, subject.object, error)
            return None

    def _matches(self, stage: Stage, subject: Subject) -> bool:
        try:
            return stage.matches(subject)
        except StageFault as error:
            self._complaints.log(stage.name, self._name(subject.object), error)
            return False

    def _name(self, obj: T) -> str:
        metadata = obj.metadata
        return f"{self._type.__name__} {'/'.join(filter(None, (metadata.namespace, metadata.name)))}"

    def _due(self, job: _Job[T]) -> None:
        if job.stage is not None:
            job.waits = False
            self._failed.pop(job.uid, None)
            if job.uid not in self._busy:
                self._crew.add(job)

    async def _do(self, job: _Job[T]) -> None:
        stage = job.stage
        if stage is None:
            return
        del self._jobs[job.uid]
        self._busy.add(job.uid)
        obj = job.object
        try:
            obj = obj or await self._present(job, stage)
            if obj is not None:
                await self._go_through(obj, stage)
        except StatusError as error:
            if not (is_conflict(error) or is_not_found(error)):  # a newer version comes, or nothing more
                self._again(job, stage, obj, error)
        except Exhausted as error:
            self._again(job, stage, obj, error)
        except Exception as error:  # a fault in one stage must not keep other objects from theirs
            self._give_up(stage, obj, error)
        finally:
            self._busy.discard(job.uid)
            if (next_ := self._jobs.get(job.uid)) is not None and not next_.waits:
                self._crew.add(next_)

    async def _present(self, job: _Job[T], stage: Stage) -> T | None:
        """The object that waited so long, where it is still to go through the stage; its changes are observed."""
        obj = await self._client.get(self._type, job.key[1], job.key[0])
        subject = self._subject(obj)
        goes = obj.metadata.uid == job.uid and subject is not None and self._matches(stage, subject)
        return obj if goes else None

    def _again(self, job: _Job[T], stage: Stage, obj: T | None, error: StatusError | Exhausted) -> None:
        """Try it again later, unless the object has changed meanwhile."""
        unwanted = isinstance(error, StatusError) and error.code in UNWANTED
        self._complaints.log(stage.name, f"{self._type.__name__} {'/'.join(filter(None, job.key))}", error)
        if unwanted and obj is not None and not job.attempts:
            self._recorder.event(obj, "Warning", FAILED, f"stage {stage.name}: {error}")
        if job.uid in self._jobs:
            return
        first, last = (FIRST_APPEAL, LAST_APPEAL) if unwanted else (FIRST_RETRY, LAST_RETRY)
        delay = min(last, first * 2 ** min(job.attempts, 20))
        job.attempts += 1
        job.waits = True
        if delay >= LONG:
            job.object = None
        self._jobs[job.uid] = job
        if not unwanted:
            self._failed[job.uid] = job
        self._timers.add(delay, job)

    def _give_up(self, stage: Stage, obj: T | None, error: Exception) -> None:
        """What a stage gets wrong about an object it gets wrong until that changes."""
        whose = self._name(obj) if obj is not None else self._type.__name__
        self._complaints.log(stage.name, whose, error, trace=not isinstance(error, StageFault))
        if obj is not None:
            self._recorder.event(obj, "Warning", FAILED, f"stage {stage.name}: {error}")

    async def _go_through(self, obj: T, stage: Stage) -> None:
        for _ in range(MOST_IMMEDIATE):
            if (subject := self._subject(obj)) is None:
                return
            try:
                written = await self._write(obj, stage.next(subject))
            except BaseException:
                if subject.taken:
                    self._lost(obj, subject.taken)
                raise
            if written is None or not stage.immediate_next or (subject := self._subject(written)) is None:
                return
            if (following := self._choose(subject)) is None or following.delay is not None:
                return
            obj, stage = written, following

    async def _write(self, obj: T, outcome: Outcome) -> T | None:
        """Bring it about; returns the object as it is then, None where it is gone or nothing was written."""
        metadata, written = obj.metadata, None
        if outcome.status is not None:
            changed: T = msgspec.structs.replace(obj, status=outcome.status)  # type: ignore[type-var]
            written = await self._client.update(changed, subresource="status")
        for act in outcome.acts:
            match act:
                case Tell(type_, reason, message):
                    self._recorder.event(obj, type_, reason, message)
                case Amend(patch, subresource):
                    written = await self._client.patch(
                        self._type, metadata.name, patch, metadata.namespace, subresource=subresource
                    )
                case Apply(configuration, subresource):
                    await self._apply(configuration, subresource, metadata.namespace)
        if outcome.delete:
            options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
            await self._client.delete(self._type, metadata.name, metadata.namespace, options=options)
            return None
        return written

    async def _apply(self, configuration: dict[str, Any], subresource: str, namespace: str) -> None:
        """Another object, in the namespace that it says, or in this one."""
        kind, version = str(configuration["kind"]), str(configuration["apiVersion"])
        resource = builtin_scheme().by_kind(version, kind)
        if resource is None:
            raise StageFault(f'no matches for kind "{kind}" in version "{version}"')
        if resource.namespaced:
            configuration = {**configuration, "metadata": {"namespace": namespace, **configuration["metadata"]}}
        await self._client.apply(
            resource.type, configuration, field_manager=FIELD_MANAGER, force=True, subresource=subresource
        )
