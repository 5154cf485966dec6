"""Run by .venv-checkov's Python: parliament on the policies that come in, by name; findings go out, both as JSON."""

import json
import sys
import warnings

# Of pkg_resources, which parliament imports.
warnings.simplefilter("ignore")

import parliament  # noqa: E402

found = [
    [name, finding.issue, str(finding.detail or "")]
    for name, policy in json.load(sys.stdin).items()
    for finding in parliament.analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings
]
json.dump(found, sys.stdout)
