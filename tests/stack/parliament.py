"""Prints what parliament finds in policies: {"name": policy, ...} on the standard input, a line for each finding."""

import json
import sys

from parliament import analyze_policy_string

for name, policy in json.load(sys.stdin).items():
    for finding in analyze_policy_string(json.dumps(policy)).findings:
        print(f"{name}: {finding.issue}: {finding.detail}")
