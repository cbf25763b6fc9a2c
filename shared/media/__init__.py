"""What files say of people, read by native parsers that run in a process of their own.

A package beside the flows, and without imports of its own, so that such a process starts in little
more than the time that the parsers take (see `shared.intake.reader` for its other end).
"""
