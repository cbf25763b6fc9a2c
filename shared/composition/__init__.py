"""The composition: builds the adapters and each flow once a process.

An adapter or a flow is built when a function first asks for it, so that a cold start imports only
what the first function needs. A function gets its own flow and no other.
"""

from shared.composition.core import Composition, Flow, flow, start

__all__ = ["Composition", "Flow", "flow", "start"]
