"""The archive's page from `web/`, by the rules of the distribution in the template.

A path of a view is answered with the one page, like the CloudFront function ViewPathsFunction does.
"""

import hashlib
from pathlib import Path
from urllib.parse import unquote

from localcloud.http.payloads import Answer, Request

# tools/web.py uploads the files under these types. A file with another end is neither served nor deployed.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# The names of the files stay the same when their content changes, so a browser asks with their ETag.
CACHE_CONTROL = "no-cache"
_INDEX = "/index.html"


def page_path(path: str) -> str:
    """Return the path of the file that a request's path names: the page itself for the path of a view."""
    return path if "." in path.rpartition("/")[2] else _INDEX


def serve_file(folder: Path, request: Request) -> Answer | None:
    """Return the answer with a file of the folder, or None if the folder has no such file."""
    file = _find(folder, unquote(page_path(request.path)))
    if file is None:
        return None
    content = file.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = [("etag", etag), ("cache-control", CACHE_CONTROL)]
    if etag in request.header("if-none-match"):
        return Answer(304, headers)
    return Answer(200, [*headers, ("content-type", CONTENT_TYPES[file.suffix])], content)


def _find(folder: Path, path: str) -> Path | None:
    parts = path.removeprefix("/").split("/")
    # Names of files in a bucket: "..", ".", an empty one and hidden ones lead nowhere.
    if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    file = folder.joinpath(*parts).resolve()
    inside = file.is_relative_to(folder.resolve())
    return file if inside and file.is_file() and file.suffix in CONTENT_TYPES else None
