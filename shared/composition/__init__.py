"""The composition: builds the adapters and each flow once a process.

A function's first request builds an adapter or a flow, so that a cold start imports only the needs
of the first function. A function gets its own flow and no further flow.
"""

from shared.composition.core import Composition, Flow, flow, start

__all__ = ["Composition", "Flow", "flow", "start"]
