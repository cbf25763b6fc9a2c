"""The Recovery Services stand-in: the backup jobs of vaults, as Azure Resource Manager lists them.

`scenario.json` says what the vaults report and which vaults fail. The file is read for each
request, so an edit takes effect at once. Left out: role assignments, the range of time that Azure
takes without a filter, vaults' other operations, and other resource providers.
"""
