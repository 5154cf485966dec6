"""The archive's front on this machine: the HTTP API, the page with CloudFront's rules, and a development issuer.

gateway serves one port: what CloudFront and API Gateway do on AWS, from the translated template.
issuer is an OpenID Connect issuer that believes what its form says about the user.
"""
