"""The edge: the one way in for HTTP requests, queue messages and batches."""
