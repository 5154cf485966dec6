"""A function that records each invocation and does what its messages request."""

import json
import os
import subprocess
import sys
import time
from typing import Any

CHILD = "import time; time.sleep(600)"


def lambda_handler(event: Any, context: Any) -> Any:
    records = event.get("Records", []) if isinstance(event, dict) else []
    orders = [json.loads(record["body"]) for record in records] or [event]
    note = {"event": event, "pid": os.getpid(), "at": time.time(), "context": about(context)}
    for order in orders:
        if order.get("do") == "start_child":
            note["child"] = subprocess.Popen([sys.executable, "-c", CHILD]).pid
    with open(os.environ["JOURNAL"], "a", encoding="utf-8") as journal:
        journal.write(json.dumps(note) + "\n")
    failures = [
        {"itemIdentifier": record["messageId"]}
        for record, order in zip(records, orders, strict=False)
        if act(order, record["attributes"]["ApproximateReceiveCount"]) == "failed"
    ]
    for order in orders:
        if not records:
            act(order, "1")
        if "answer" in order:
            return order["answer"]
    return {"batchItemFailures": failures}


def about(context: Any) -> dict[str, Any]:
    return {
        "name": context.function_name,
        "request": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "remaining": context.get_remaining_time_in_millis(),
    }


def act(order: dict[str, Any], receives: str) -> str:
    do = order.get("do")
    if do == "fail" or (do == "fail_once" and receives == "1"):
        return "failed"
    if do == "raise":
        raise ValueError("as ordered")
    if do == "crash":
        os._exit(3)
    if do == "print":
        print("to standard output")
        print("to standard error", file=sys.stderr)
        os.system("echo from a child process; cat")
    if do in ("sleep", "start_child"):
        time.sleep(order["seconds"])
    return "done"
