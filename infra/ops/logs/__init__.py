"""Verifying an access log from outside, with no part of the app but `shared.merkle`."""
