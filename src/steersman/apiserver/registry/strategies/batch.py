"""Jobs and CronJobs."""

from __future__ import annotations

from collections.abc import Iterator

from steersman.api.types.batch_v1 import CronJob, Job, JobSpec
from steersman.api.types.core_v1 import PodTemplateSpec
from steersman.api.types.meta_v1 import DeleteOptions, LabelSelector
from steersman.api.validation.batch import HIGH_COMPLETIONS_LIMIT, INDEXED_LIMIT, LABELS
from steersman.api.warnings.pods import name_warnings, template_warnings
from steersman.apiserver.registry.contract import Context

from .templates import TemplatedStrategy


def _spec_warnings(spec: JobSpec, path: str) -> Iterator[str]:
    many = (spec.completions or 0) > INDEXED_LIMIT and (spec.parallelism or 0) > HIGH_COMPLETIONS_LIMIT
    if spec.completion_mode == "Indexed" and many:
        yield (
            f"{path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than "
            "10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail"
        )
    yield from template_warnings(spec.template, f"{path}.template")


class CronJobStrategy(TemplatedStrategy):
    """The template of its Jobs has that of their pods."""

    def template(self, obj: CronJob) -> PodTemplateSpec:
        return obj.spec.job_template.spec.template

    def warnings(self, new: CronJob, old: CronJob | None) -> Iterator[str]:
        if old is None:
            yield from name_warnings(new.metadata.name, "Pod names and hostnames")
        if old is None or new.metadata.generation != old.metadata.generation:
            yield from _spec_warnings(new.spec.job_template.spec, "spec.jobTemplate.spec")
        if "TZ" in new.spec.schedule:
            yield (
                "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
                "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
            )


class JobStrategy(TemplatedStrategy):
    """Leaves its pods behind unless told otherwise; fills the selector and labels that tie pods to it."""

    dependents = "Orphan"

    def warn_of_delete(self, context: Context, options: DeleteOptions) -> None:
        if not options.propagation_policy and options.orphan_dependents is None:
            context.warnings.append(
                "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
                "them or set propagationPolicy=Orphan to suppress this warning"
            )

    def prepare_create(self, context: Context, new: Job) -> None:
        super().prepare_create(context, new)
        spec = new.spec
        if spec.manual_selector:
            return
        labels = spec.template.metadata.labels
        for key, member in LABELS.items():
            labels.setdefault(key, getattr(new.metadata, member))
        if spec.selector is None:
            spec.selector = LabelSelector()
        spec.selector.match_labels.setdefault("batch.kubernetes.io/controller-uid", new.metadata.uid)

    def warnings(self, new: Job, old: Job | None) -> Iterator[str]:
        if old is None:
            yield from name_warnings(new.metadata.name, "Pod names and hostnames")
        if old is None or new.metadata.generation != old.metadata.generation:
            yield from _spec_warnings(new.spec, "spec")
