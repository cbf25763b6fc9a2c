"""HTTP functions that show the host's requests and responses."""

import asyncio
import hashlib
import json
import os
import resource
import sys
import threading
from pathlib import Path

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def _json(value: object, status: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), status_code=status, mimetype="application/json")


async def _gate() -> None:
    """Return once the file in the setting GATE exists."""
    while True:
        if _opened():
            return
        await asyncio.sleep(0.01)


def _opened() -> bool:
    return Path(os.environ["GATE"]).exists()


def _record(name: str) -> None:
    with Path(os.environ["RECORDS"]).open("a") as file:
        file.write(json.dumps({"name": name}) + "\n")


@app.route("echo/{tenant}/{id:int?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return _json(
        {
            "method": req.method,
            "url": req.url,
            "params": dict(req.route_params),
            "query": dict(req.params),
            "headers": dict(req.headers),
            "sha256": hashlib.sha256(req.get_body()).hexdigest(),
            "length": len(req.get_body()),
        }
    )


@app.route("bytes", methods=["POST", "HEAD"])
async def mirror(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body(), mimetype="application/octet-stream")


@app.route("peak", methods=["GET"])
async def peak(req: func.HttpRequest) -> func.HttpResponse:
    """Answer with the peak memory of this process in bytes; macOS counts bytes, Linux kibibytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return _json(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


@app.route("files/{*path}", methods=["GET"])
async def files(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"function": "files", "path": req.route_params.get("path")})


@app.route("files/special.txt", methods=["GET"])
async def special(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"function": "special"})


@app.route("files/{name}.jpg", methods=["GET"])
async def picture(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"function": "picture", "name": req.route_params["name"]})


@app.route("numbers/{n:int:range(1,9)}", methods=["GET"])
async def small(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"function": "small", "n": req.route_params["n"]})


@app.route(r"numbers/{n:regex(^0x[0-9a-f]{{2}}$)}", methods=["GET"])
async def hexadecimal(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"function": "hexadecimal", "n": req.route_params["n"]})


@app.route("context", methods=["GET"])
async def its_context(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return _json(
        {
            "invocation": context.invocation_id,
            "function": context.function_name,
            "directory": context.function_directory,
            "trace": context.trace_context.Traceparent,
        }
    )


@app.route("form", methods=["POST"])
def form(req: func.HttpRequest) -> func.HttpResponse:
    files = {name: file.read().decode() for name, file in req.files.items()}
    return _json({"form": dict(req.form), "files": files})


@app.route("cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(status_code=204)
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    response.headers["X-Kept"] = "yes"
    return response


@app.route("text")
def text(req: func.HttpRequest) -> str:
    return "plain"


@app.generic_trigger("req", "httpTrigger", route="silent", methods=["POST"], authLevel="anonymous")
async def silent(req: func.HttpRequest) -> None:
    """Return nothing: the function has no output binding."""


@app.route("fails")
async def fails(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("broken on purpose")


waiting = asyncio.Condition()
arrived = 0
released = threading.Event()


@app.route("together", methods=["GET"])
async def together(req: func.HttpRequest) -> func.HttpResponse:
    """Answer once the number of requests in `parties` has arrived."""
    global arrived  # noqa: PLW0603 - what the requests share is the point
    parties = int(req.params["parties"])
    async with waiting:
        arrived += 1
        waiting.notify_all()
        await waiting.wait_for(lambda: arrived >= parties)
    return _json({"together": parties})


@app.route("blocking", methods=["GET"])
def blocking(req: func.HttpRequest) -> func.HttpResponse:
    """Block a thread until a call of `release`."""
    released.wait()
    return _json({"released": True})


@app.route("release", methods=["GET"])
def release(req: func.HttpRequest) -> func.HttpResponse:
    released.set()
    return _json({"released": True})


@app.route("gate", methods=["GET"])
async def gate(req: func.HttpRequest) -> func.HttpResponse:
    """Answer once the file in the setting GATE exists."""
    _record("waiting")
    await _gate()
    _record("done")
    return _json({"done": True})
