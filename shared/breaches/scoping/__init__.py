"""The scope of a breach: which tenants, assets, persons and categories the evidence names."""
