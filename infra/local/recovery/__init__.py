"""The Recovery Services stand-in: the backup jobs of vaults, as Azure Resource Manager lists them.

`scenario.json` holds the jobs of each vault and the vaults' faults. The stand-in reads the file for
each request: an edit takes effect at once. Left out: role assignments, Azure's default range of
time, further operations of vaults, and further resource providers.
"""
