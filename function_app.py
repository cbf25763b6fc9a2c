"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.functions as func

from functions.documents import EVERY_BLUEPRINT
from functions.intake import arrivals
from shared import composition

settings = composition.start()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in EVERY_BLUEPRINT:
    app.register_functions(blueprint)
app.register_functions(arrivals(settings.BLOB_TRIGGER_SOURCE))
