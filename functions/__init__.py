"""The triggers, one file a flow: decode, one call into `shared`, encode."""
