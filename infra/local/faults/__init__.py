"""A proxy before Azurite: requests fail by rule, as on a bad day of Azure Storage.

Clients reach the three storage services through the proxy's own ports. A request without a matching
rule passes unchanged. Rules are data, changed at run time through the control endpoint
(`control.Faults`).
"""
