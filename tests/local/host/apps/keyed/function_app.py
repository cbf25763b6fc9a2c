"""HTTP functions of every authorization level."""

import azure.functions as func

app = func.FunctionApp()


@app.route("open", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def anybody(req: func.HttpRequest) -> str:
    return "open"


@app.route("one", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
async def one(req: func.HttpRequest) -> str:
    return f"one {req.params.get('code')} {len(req.get_body())}"


@app.route("two", methods=["GET"])
async def Two(req: func.HttpRequest) -> str:  # noqa: N802 - keys are kept by the lower-case name
    return "two"


@app.route("admins", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def admins(req: func.HttpRequest) -> str:
    return "admins"
