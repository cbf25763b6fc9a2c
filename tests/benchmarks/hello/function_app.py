"""The smallest function app that is one: what others are measured against."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello", methods=["GET"])
async def hello(req: func.HttpRequest) -> func.HttpResponse:
    """Say hello."""
    return func.HttpResponse("hello")
