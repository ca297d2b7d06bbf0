"""Questions to a person in Airflow's Required Actions, whose answers outlive the try they were given to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from clo_ops.findings import CouldNotCheck
from clo_ops.orchestration.until import Answered

if TYPE_CHECKING:
    from airflow.sdk import Context


class AnswerRefused(CouldNotCheck):
    """Who answered may not, or the answer cannot stand: the question is asked again."""


class Question(HITLOperator):
    """A Required Action. A try that comes after one which did not end as it should looks for that one's answer first.

    Airflow wipes the answer when the question is asked anew, and takes a try that was answered too quickly for one that
    was killed. Subclasses ask in ``ask`` (and end it with ``wait``), and act in ``execute_complete``, which may be
    called twice with one answer.
    """

    ui_color = "#efe3f6"

    def __init__(self, *, fields: Mapping[str, Param] | None = None, **kwargs: Any) -> None:
        # Airflow hands a task the params of its DAG's form as its own: they would stand in the fields' place.
        super().__init__(**{**kwargs, "params": dict(fields or {})})

    def execute(self, context: Mapping[str, Any]) -> str | None:
        if context["task_instance"].try_number > 1:
            answered = Answered(str(context["task_instance"].id))
            self.defer(trigger=answered, method_name="asked_before")
        return self.ask(context)

    def asked_before(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
        """An answer to an earlier try counts, unless it is the very one that was refused."""
        if not (answer := event["answer"]):
            return self.ask(context)
        try:
            return cast("str | None", self.execute_complete(cast("Context", context), answer))
        except AnswerRefused:
            return self.ask(context)

    def ask(self, context: Mapping[str, Any]) -> str | None:
        """Asks, or says why nobody has to be asked. Raises AirflowSkipException where there is nothing to ask."""
        raise NotImplementedError

    def validate_params_input(self, params_input: Mapping[str, Any]) -> None:
        """Fields that an answer leaves out are as they were shown. Raises ValueError for one that was not asked."""
        shown = {name: self.params[name] for name in self.params} if params_input else {}
        super().validate_params_input({**shown, **params_input})

    def wait(self, context: Mapping[str, Any]) -> None:
        """Puts the question and waits for the answer without a worker."""
        super().execute(cast("Context", context))
