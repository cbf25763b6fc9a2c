"""The records of incidents: one record an incident, from the opening to the review.

`Intake` takes the messages of incidents, batch by batch. `Desk` shows the records, and takes the
steps of the people who handle the incidents.
"""
