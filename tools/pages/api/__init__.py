"""The OpenAPI description of the archive's API: schemas/archive-api.openapi.json.

Routes come from template.yaml, bodies of requests from the members that the functions read, and audit events from
schemas/audit-event.schema.json. `operations` and `answers` are written by hand.
"""
