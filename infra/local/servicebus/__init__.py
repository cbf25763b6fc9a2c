"""A Service Bus broker for development: AMQP 1.0 on loopback, driven by the Azure SDK."""
