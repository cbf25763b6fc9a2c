"""The shapes that the runtime library expects from its host in place of protobuf classes.

``azure_functions_runtime`` builds and reads the messages by attribute only. Small dataclasses
therefore stand in for the generated classes of ``FunctionRpc.proto``. Only messages that this host
uses are here.
"""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class BindingInfo:
    """One binding of a function. Directions and data types have the protocol's numbers."""

    type: str
    data_type: int | None
    direction: int

    out: ClassVar[int] = 1
    inout: ClassVar[int] = 2
    undefined: ClassVar[int] = 0


@dataclass(frozen=True)
class RpcRetryOptions:
    """A retry policy that a function declares."""

    max_retry_count: int
    retry_strategy: str
    delay_interval: Any = None
    minimum_interval: Any = None
    maximum_interval: Any = None


@dataclass(frozen=True)
class RpcFunctionMetadata:
    """The runtime's report of one indexed function; ``raw_bindings`` are JSON texts."""

    name: str
    function_id: str
    managed_dependency_enabled: bool
    directory: str
    script_file: str
    entry_point: str
    is_proxy: bool
    language: str
    bindings: Mapping[str, BindingInfo]
    raw_bindings: list[str]
    retry_options: RpcRetryOptions | None
    properties: Mapping[str, str]


@dataclass(frozen=True)
class ModelBindingData:
    """A reference to a resource that a parameter of an SDK type opens by itself."""

    content: builtins.bytes
    source: str
    content_type: str = "application/json"
    version: str = "1.0"


@dataclass(frozen=True)
class CollectionBytes:
    """The bodies of a batch of messages."""

    bytes: list[builtins.bytes]


@dataclass(frozen=True)
class TypedData:
    """One value and its kind: ``string``, ``bytes``, ``json`` or ``model_binding_data``."""

    string: str | None = None
    bytes: builtins.bytes | None = None
    json: str | None = None
    model_binding_data: ModelBindingData | None = None

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf's own name
        kinds = ("string", "bytes", "json", "model_binding_data")
        return next((kind for kind in kinds if getattr(self, kind) is not None), None)


@dataclass(frozen=True)
class ParameterBinding:
    """The value of one function parameter."""

    name: str
    data: TypedData | None

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - protobuf's own name
        return "data"


@dataclass(frozen=True)
class TraceContext:
    """The W3C trace context of an invocation."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryContext:
    """The number of an invocation's attempt."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: object = None


@dataclass(frozen=True)
class InvocationRequest:
    """One call of one function."""

    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: Mapping[str, TypedData]
    trace_context: TraceContext = field(default_factory=TraceContext)
    retry_context: RetryContext = field(default_factory=RetryContext)


@dataclass(frozen=True)
class StreamingMessage:
    """The envelope of a request, as the worker's channel carries requests."""

    invocation_request: InvocationRequest


@dataclass(frozen=True)
class WorkerRequest:
    """The argument of the runtime's entry points."""

    request: StreamingMessage


@dataclass(frozen=True)
class RpcException:
    """A function's failure."""

    message: str
    stack_trace: str


@dataclass(frozen=True)
class StatusResult:
    """The success or failure of an invocation."""

    status: int
    exception: RpcException | None = None

    Failure: ClassVar[int] = 0
    Success: ClassVar[int] = 1


@dataclass(frozen=True)
class InvocationResponse:
    """The outcome of one invocation."""

    invocation_id: str
    result: StatusResult
    return_value: TypedData | None = None
    output_data: list[ParameterBinding] = field(default_factory=list)
