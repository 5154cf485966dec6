"""The gateway and the development issuer as a whole, for a template that declares an HTTP API."""

import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localcloud.clock_file import ClockFile
from localcloud.http.gateway import Gateway
from localcloud.http.issuer import CLIENT_ID, Client, Issuer
from localcloud.processes import LineSink
from localcloud.runtime import FunctionRuntime
from localcloud.stack import Stack
from localcloud.template import Template

# The local SES accepts mails from this address without a verification.
MAIL_SENDER = "archive@callseal.example"


class HttpServices:
    """Listens on two ports from its creation on, so that the template's resources can name them."""

    def __init__(
        self, template: Template, given: Mapping[str, str], port: int, web: Path, clock: ClockFile, log: LineSink,
        exits: contextlib.ExitStack,
    ) -> None:  # fmt: skip
        self._gateway = Gateway(port, web, clock, log)
        exits.callback(self._gateway.close)
        self._issuer = Issuer(clock)
        exits.callback(self._issuer.close)
        self._secret = secrets.token_urlsafe(32)
        own = {"OidcIssuer": self._issuer.url, "OidcClientId": CLIENT_ID, "ShareMailFrom": MAIL_SENDER}
        declared = template.get("Parameters", {})
        self.parameters = {name: value for name, value in own.items() if name in declared and name not in given}
        self.outputs = {"OidcIssuer": given.get("OidcIssuer", self._issuer.url)}

    @property
    def address(self) -> str:
        """Host and port of the gateway."""
        return self._gateway.address

    def serve(self, stack: Stack, runtimes: Mapping[str, FunctionRuntime], secrets_manager: Any) -> None:
        """Serve the stack's front, and know its archive as the issuer's client; `runtimes` by function ARN."""
        stack.outputs.setdefault("ArchiveUrl", self._gateway.url)
        if "OidcIssuer" in self.parameters:
            secrets_manager.create_secret(Name=f"{stack.name}/oidc-client-secret", SecretString=self._secret)
        self._issuer.serve(Client(self._secret, f"{self._gateway.url}/auth/callback"))
        self._gateway.serve(stack.front, runtimes, stack.account_id)


def declares_http_api(template: Template) -> bool:
    """Return whether a translated template has an HTTP API."""
    return any(each.get("Type") == "AWS::ApiGatewayV2::Api" for each in template["Resources"].values())
