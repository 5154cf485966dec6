"""Run by .venv-checkov's Python: lints policies, by name, with parliament. Input and findings are JSON."""

import json
import sys
import warnings

# For pkg_resources, which parliament imports.
warnings.simplefilter("ignore")

import parliament  # noqa: E402

found = [
    [name, finding.issue, str(finding.detail or "")]
    for name, policy in json.load(sys.stdin).items()
    for finding in parliament.analyze_policy_string(json.dumps(policy), include_community_auditors=True).findings
]
json.dump(found, sys.stdout)
