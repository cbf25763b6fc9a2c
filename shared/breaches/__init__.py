"""Personal data breaches: assessed, decided, scoped from evidence, and told.

Source: GDPR Art. 33 and 34.
"""
