"""A proxy before Azurite that fails by rule: the bad days of Azure Storage, on a laptop.

Clients reach the three services through it on ports of its own. What no rule touches goes through
unchanged; rules are data, set while it runs through its control endpoint (`control.Faults`).
"""
