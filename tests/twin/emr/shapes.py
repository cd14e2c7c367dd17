"""Writes `shapes.json`: what EMR's requests and answers may hold, for the operations the twin answers.

    python shapes.py <botocore>/data/emr/2009-03-31/service-2.json[.gz] >shapes.json

The model is AWS's own description of the API, published with botocore 1.44.5 (Apache-2.0). Kept of it: names, types,
what is required, enums, and the bounds of lists, strings and numbers.
"""

import gzip
import json
import sys

OPERATIONS = """
AddJobFlowSteps AddTags CancelSteps CreatePersistentAppUI DescribeCluster DescribePersistentAppUI DescribeReleaseLabel
DescribeSecurityConfiguration DescribeStep GetAutoTerminationPolicy GetManagedScalingPolicy GetOnClusterAppUIPresignedURL
GetPersistentAppUIPresignedURL ListBootstrapActions ListClusters
ListInstanceFleets ListInstanceGroups ListInstances ListReleaseLabels ListSteps ListSupportedInstanceTypes ModifyCluster
PutAutoTerminationPolicy PutManagedScalingPolicy RemoveAutoTerminationPolicy RemoveTags RunJobFlow
SetTerminationProtection TerminateJobFlows
""".split()


def main(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path) as file:
        model = json.load(file)
    shapes, operations = {}, {}
    for name in OPERATIONS:
        operation = model["operations"][name]
        ends = [operation.get(side, {}).get("shape") for side in ("input", "output")]
        operations[name] = ends
        for shape in filter(None, ends):
            keep(model["shapes"], shape, shapes)
    lines = ['{"operations": {']
    lines.append(",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in operations.items()))
    lines.append('}, "shapes": {')
    lines.append(",\n".join(f"{json.dumps(key)}: {json.dumps(shapes[key])}" for key in sorted(shapes)))
    lines.append("}}")
    print("\n".join(lines))


def keep(model, name, kept):
    """Adds a shape and all it refers to."""
    if name in kept:
        return
    shape = model[name]
    kept[name] = entry = {"type": shape["type"]}
    for key in ("required", "enum", "min", "max"):
        if key in shape:
            entry[key] = shape[key]
    if "members" in shape:
        entry["members"] = {member: about["shape"] for member, about in shape["members"].items()}
    for key in ("member", "key", "value"):
        if key in shape:
            entry[key] = shape[key]["shape"]
    inner = [*entry.get("members", {}).values(), *(entry[key] for key in ("member", "key", "value") if key in entry)]
    for shape in inner:
        keep(model, shape, kept)


if __name__ == "__main__":
    main(sys.argv[1])
