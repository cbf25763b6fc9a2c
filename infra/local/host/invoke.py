"""One run of one function through the runtime library, and the outcome."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from azure_functions_runtime import handle_event
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native
from azure_functions_runtime.utils.executor import invocation_id_cv

from infra.local.host import protos
from infra.local.host.loading import Function

log = logging.getLogger("host")

NO_TRACE = protos.TraceContext()


@dataclass(frozen=True)
class InvocationOutcome:
    """The end of an invocation; ``returned`` is the value for the ``$return`` binding."""

    succeeded: bool
    returned: Datum | None = None


class Invoker:
    """Run functions on the current event loop, and sync functions in the runtime's threads."""

    def __init__(self, running: dict[str, str], timeout: float | None) -> None:
        """Take ``running``, a map of invocation ids to function names that the invoker updates.

        ``timeout`` is host.json's functionTimeout in seconds.
        """
        self._running = running
        self._timeout = timeout

    async def run(
        self,
        function: Function,
        value: Datum | protos.ModelBindingData,
        metadata: Mapping[str, Datum] | None = None,
        *,
        trace: protos.TraceContext = NO_TRACE,
    ) -> InvocationOutcome:
        """Call the function with the trigger's value and metadata. A failure is an outcome too.

        A ModelBindingData, a reference to a resource, goes to a parameter of an SDK type.
        """
        invocation = str(uuid.uuid4())
        self._running[invocation] = function.name
        token = invocation_id_cv.set(invocation)
        started = time.perf_counter()
        outcome = InvocationOutcome(succeeded=False)
        try:
            async with asyncio.timeout(self._timeout):
                if isinstance(value, protos.ModelBindingData):
                    outcome = await _run_deferred(function, invocation, value, metadata or {})
                else:
                    outcome = await _run_native(function, invocation, value, metadata or {}, trace)
        except TimeoutError:
            log.error("the function ran longer than functionTimeout and was cancelled")  # noqa: TRY400 - where it was cancelled says nothing
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            level = logging.INFO if outcome.succeeded else logging.ERROR
            log.log(level, "%s in %.0f ms", "ok" if outcome.succeeded else "failed", milliseconds)
            invocation_id_cv.reset(token)
            del self._running[invocation]
        return outcome


async def _run_native(
    function: Function,
    invocation: str,
    value: Datum,
    metadata: Mapping[str, Datum],
    trace: protos.TraceContext,
) -> InvocationOutcome:
    # The library logs a failure itself, with its traceback.
    succeeded, returned, _, _, _ = await invocation_request_native(
        invocation,
        function.info.function_id,
        [(function.parameter, value)],
        metadata,
        trace.trace_parent,
        trace.trace_state,
    )
    return InvocationOutcome(succeeded, returned)


async def _run_deferred(
    function: Function,
    invocation: str,
    value: protos.ModelBindingData,
    metadata: Mapping[str, Datum],
) -> InvocationOutcome:
    request = protos.InvocationRequest(
        invocation_id=invocation,
        function_id=function.info.function_id,
        input_data=[
            protos.ParameterBinding(function.parameter, protos.TypedData(model_binding_data=value))
        ],
        trigger_metadata={
            name: protos.TypedData(**{datum.type: datum.value}) for name, datum in metadata.items()
        },
    )
    response = await handle_event.invocation_request(
        protos.WorkerRequest(protos.StreamingMessage(request))
    )
    failure = response.result.exception
    if failure is not None:
        log.error("%s\n%s", failure.message, failure.stack_trace)
    return InvocationOutcome(response.result.status == protos.StatusResult.Success)
