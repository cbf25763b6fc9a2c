"""Verifying an access log from outside, with nothing of the app but `shared.merkle`."""
