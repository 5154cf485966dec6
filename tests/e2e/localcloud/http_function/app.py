"""A function behind an HTTP API that answers with its event, or does what the query string asks for."""

import json
import time
from pathlib import Path
from typing import Any


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    query = event.get("queryStringParameters", {})
    if query.get("do") == "raise":
        raise ValueError("as asked")
    if query.get("do") == "answer":
        return json.loads(event["body"])
    if query.get("do") == "fill":
        return {"statusCode": 200, "body": "x" * int(query["bytes"])}
    if query.get("do") == "meet":
        return meet(Path(query["folder"]), context.aws_request_id, int(query["number"]))
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(event)}


def meet(folder: Path, name: str, number: int) -> dict[str, Any]:
    """Answer when as many invocations as `number` are running."""
    (folder / name).touch()
    while len(list(folder.iterdir())) < number:
        time.sleep(0.01)
    return {"statusCode": 204}
