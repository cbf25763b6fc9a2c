"""Personal data breaches: assessed, scoped, decided, told to tenants, kept in a register."""
