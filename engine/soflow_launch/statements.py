"""Which SQL statements a query may hold: those that only read. Published tables change by publishing alone."""

import re

READS = {"select", "values", "show", "describe", "desc"}
# Quoted text and comments first, so that a word inside them is not taken for a keyword.
TOKEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:\\.|''|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`(?:``|[^`])*`|[A-Za-z_]\w*|[()]|\S", re.DOTALL
)
EXPLAIN_MODES = {"extended", "codegen", "cost", "formatted", "analyze", "verbose"}


# `describe questions`, but not `describe table questions` or `describe select 1`.
DESCRIBE = re.compile(
    r"desc(?:ribe)?\s+(?!(?:table|function|catalog|database|schema|namespace|query|extended|select|with|values)\b)",
    re.IGNORECASE,
)


def spelled(sql, engine):
    """Returns the statement without its last semicolon, which Spark's parser refuses and everybody types."""
    sql = sql.strip().rstrip(";").rstrip()
    # Sail 0.7.2 wants the word TABLE, which is optional in Spark.
    return re.sub(DESCRIBE, "describe table ", sql, count=1) if engine == "sail" and DESCRIBE.match(sql) else sql


def refusal(sql):
    """Returns why the statement is not run, or None if it only reads."""
    tokens = [token.lower() for token in TOKEN.findall(sql) if not token.startswith(("--", "/*"))]
    if not tokens:
        return "there is no statement to run"
    if ";" in tokens:
        return "only one statement at a time can be run"
    verb = effective_verb(tokens)
    if verb in READS:
        return None
    return f"only statements that read are run (select, with, values, show, describe, explain), not `{verb}`"


def effective_verb(tokens):
    """Returns the word that decides what a statement does: behind `explain`, opening brackets and a list of CTEs."""
    while tokens and tokens[0] == "(":
        tokens = tokens[1:]
    if tokens and tokens[0] == "explain":
        # `explain analyze` runs the statement, an insert too.
        tokens = tokens[1:]
        while tokens and tokens[0] in EXPLAIN_MODES:
            tokens = tokens[1:]
        return effective_verb(tokens) if tokens else "explain"
    if tokens and tokens[0] == "with":
        return verb_after_ctes(tokens[1:])
    return tokens[0] if tokens else "("


def verb_after_ctes(tokens):
    """Returns the first word after `name [(columns)] as (query), …`: Spark lets an insert follow, not only a select."""
    depth, closed = 0, False
    for at, token in enumerate(tokens):
        # A name after a comma belongs to the next CTE.
        if depth == 0 and closed and token not in {"as", ",", "("} and tokens[at - 1] != ",":
            return token
        if depth == 0 and closed and token == "(" and tokens[at - 1] == ")":
            return effective_verb(tokens[at:])
        depth += {"(": 1, ")": -1}.get(token, 0)
        closed = closed or (depth == 0 and token == ")")
    return "with"
