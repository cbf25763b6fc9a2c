"""`messages`: list, show, replay and discard parked and dead-lettered messages."""
