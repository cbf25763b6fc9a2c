"""A whole ASGI application behind one function."""

import azure.functions as func
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def item(request: Request) -> JSONResponse:
    return JSONResponse(
        {
            "name": request.path_params["name"],
            "query": dict(request.query_params),
            "body": (await request.body()).decode(),
        },
        status_code=201,
        headers={"X-From": "starlette"},
    )


api = Starlette(routes=[Route("/api/items/{name}", item, methods=["POST"])])
app = func.AsgiFunctionApp(app=api, http_auth_level=func.AuthLevel.ANONYMOUS)
