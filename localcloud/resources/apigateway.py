"""HTTP APIs of API Gateway, in place of which `localcloud/http` serves."""

from localcloud.errors import TemplateError
from localcloud.http.payloads import STAGE
from localcloud.http.routes import routes_of
from localcloud.properties import Properties
from localcloud.resources.context import Context, Reference


def make_api(context: Context, properties: Properties) -> Reference:
    """Record the routes of an API."""
    front, logical_id = context.stack.front, properties.logical_id
    if front.api_id:
        raise TemplateError(f"{logical_id}: the local cloud knows one HTTP API only.")
    front.api_id = f"local{logical_id.lower()}"
    front.domain = f"{front.api_id}.execute-api.{context.stack.region}.amazonaws.com"
    front.routes = routes_of(logical_id, properties.require("Body"))
    for route in front.routes:
        if route.function_arn not in context.stack.functions:
            raise TemplateError(f"{logical_id}: {route.function_arn} is not a function of this stack.")
    return Reference(front.api_id, {"ApiId": front.api_id, "ApiEndpoint": f"http://{context.http_address}"})


def make_stage(context: Context, properties: Properties) -> Reference:
    """Accept the stage whose name is not in the paths, the only one that the local cloud knows."""
    if properties.require("ApiId") != context.stack.front.api_id or properties.require("StageName") != STAGE:
        raise TemplateError(f"{properties.logical_id}: the local cloud knows the stage {STAGE} of an HTTP API only.")
    properties.take("AutoDeploy")
    properties.leave_out("AccessLogSettings", "the requests are in logs/HttpGateway.log of the state folder")
    properties.leave_out("DefaultRouteSettings", "nothing here limits the rate of requests")
    properties.leave_out("Tags", "nothing here reads a stage's tags")
    return Reference(STAGE)
