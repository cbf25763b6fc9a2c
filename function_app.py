"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.functions as func

from functions import (
    access,
    accesslog,
    backups,
    consents,
    erasures,
    health,
    outbox,
    tenants,
    uploads,
)
from shared import composition

composition.start()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for flow in (health, tenants, uploads, consents, access, accesslog, erasures, backups, outbox):
    app.register_functions(flow.blueprint)
