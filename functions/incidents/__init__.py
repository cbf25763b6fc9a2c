"""Incidents: recorded from the queue, escalated, shown and handled."""
