"""The Azure Functions app: registers the blueprints, nothing else."""

import azure.functions as func

from functions.blueprints import BLUEPRINTS
from functions.intake import arrivals
from shared import composition

composition.start()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
for blueprint in BLUEPRINTS:
    app.register_functions(blueprint)
app.register_functions(arrivals(composition.app().settings.BLOB_TRIGGER_SOURCE))
