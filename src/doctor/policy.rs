//! Policy documents as IAM gives them: who a role trusts.

use serde_json::Value as Json;

/// Someone a role may trust.
#[derive(Clone, Copy, Debug)]
pub(super) enum Principal<'a> {
    /// An AWS service, such as `ec2.amazonaws.com`.
    Service(&'a str),
    /// A role, by its ARN.
    Role(&'a str),
}

/// Whether a document allows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It does.
    Yes,
    /// It does when these condition keys have the right values, or someone else agrees.
    If(Vec<String>),
    /// It does not.
    No,
}

/// The statements of a policy document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policy(Vec<Json>);

impl Policy {
    /// Returns the policy of a document, which IAM gives URL-encoded; `None` when it is not one.
    pub fn parse(document: &str) -> Option<Self> {
        let text = if document.trim_start().starts_with('{') { document.to_string() } else { decoded(document) };
        let mut parsed: Json = serde_json::from_str(&text).ok()?;
        match parsed.get_mut("Statement")?.take() {
            Json::Array(statements) => Some(Self(statements)),
            statement @ Json::Object(_) => Some(Self(vec![statement])),
            _ => None,
        }
    }

    /// Returns whether `principal` may do `action`. A refusal is stronger than any permission.
    pub fn trusts(&self, principal: Principal<'_>, action: &str) -> Trust {
        let mut trust = Trust::No;
        let mut doubts = Vec::new();
        for statement in self.0.iter().filter(|statement| covers(statement, action)) {
            let Some(mut conditions) = meets(statement, principal) else { continue };
            conditions.extend(keys(statement));
            match (statement["Effect"].as_str(), conditions.is_empty()) {
                (Some("Deny"), true) => return Trust::No,
                (Some("Deny"), false) => doubts.extend(conditions),
                (Some("Allow"), true) => trust = Trust::Yes,
                (Some("Allow"), false) if trust != Trust::Yes => trust = Trust::If(conditions),
                _ => {}
            }
        }
        match trust {
            Trust::Yes if !doubts.is_empty() => Trust::If(doubts),
            Trust::If(mut conditions) => {
                conditions.extend(doubts);
                Trust::If(conditions)
            }
            trust => trust,
        }
    }
}

/// Returns the texts of an element that may be one text or a list of them.
fn texts(element: &Json) -> Vec<&str> {
    match element {
        Json::String(text) => vec![text],
        Json::Array(list) => list.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Returns whether a statement is about an action.
fn covers(statement: &Json, action: &str) -> bool {
    let any = |key: &str| texts(&statement[key]).iter().any(|pattern| matches(pattern, action));
    if statement.get("NotAction").is_some() { !any("NotAction") } else { any("Action") }
}

/// Returns what else must hold for a statement to be about a principal; `None` when it is not about it.
fn meets(statement: &Json, principal: Principal<'_>) -> Option<Vec<String>> {
    let named = &statement["Principal"];
    if named.as_str() == Some("*") {
        return Some(Vec::new());
    }
    if statement.get("NotPrincipal").is_some() {
        return Some(vec!["NotPrincipal".into()]);
    }
    match principal {
        // Services have other names in China; a document for them is as good.
        Principal::Service(service) => {
            texts(&named["Service"]).iter().any(|name| name.trim_end_matches(".cn") == service).then(Vec::new)
        }
        Principal::Role(arn) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            let trusted = texts(&named["AWS"]);
            if trusted.iter().any(|name| *name == arn || *name == "*") {
                return Some(Vec::new());
            }
            // An account as a whole leaves it to its own policies whom it lets in.
            let whole = |name: &&str| *name == account || name.ends_with(&format!(":{account}:root"));
            trusted.iter().any(whole).then(|| vec!["the policies of its account".into()])
        }
    }
}

/// Returns the keys of a statement's conditions.
fn keys(statement: &Json) -> Vec<String> {
    let operators = statement["Condition"].as_object().into_iter().flat_map(|all| all.values());
    operators.filter_map(Json::as_object).flat_map(|tests| tests.keys().map(|key| format!("`{key}`"))).collect()
}

/// Returns whether an action fits a pattern with `*` and `?`, upper and lower case being the same.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    fn fits(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=text.len()).any(|at| fits(rest, &text[at..])),
            (Some((b'?', rest)), Some((_, tail))) => fits(rest, tail),
            (Some((one, rest)), Some((other, tail))) => one.eq_ignore_ascii_case(other) && fits(rest, tail),
            _ => false,
        }
    }
    fits(pattern.as_bytes(), text.as_bytes())
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                plain.push(value);
                at += 3;
            }
            None => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMR: Principal<'_> = Principal::Service("elasticmapreduce.amazonaws.com");
    const NODES: Principal<'_> = Principal::Role("arn:aws:iam::123456789012:role/nodes");

    fn trusts(statements: &str, principal: Principal<'_>, action: &str) -> Trust {
        Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#))
            .unwrap()
            .trusts(principal, action)
    }

    fn if_(keys: &[&str]) -> Trust {
        Trust::If(keys.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_statement_or_many_one_name_or_many() {
        let one =
            r#"{"Effect":"Allow","Principal":{"Service":"elasticmapreduce.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(trusts(one, EMR, "sts:AssumeRole"), Trust::Yes);
        assert_eq!(trusts(one, Principal::Service("ec2.amazonaws.com"), "sts:AssumeRole"), Trust::No);
        assert_eq!(trusts(one, EMR, "sts:TagSession"), Trust::No);
        let many = r#"[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","elasticmapreduce.amazonaws.com.cn"]},
            "Action":["sts:AssumeRole","sts:TagSession"]}]"#;
        assert_eq!(trusts(many, EMR, "sts:TagSession"), Trust::Yes);
    }

    #[test]
    fn documents_come_encoded() {
        let document = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22%2A%22%2C%22Action%22%3A%22sts%3A%2A%22%7D%5D%7D";
        assert_eq!(Policy::parse(document).unwrap().trusts(NODES, "sts:AssumeRole"), Trust::Yes);
        assert_eq!(Policy::parse("%7Bnot json"), None);
        assert_eq!(Policy::parse(r#"{"Version":"2012-10-17"}"#), None);
    }

    #[test]
    fn a_refusal_is_stronger_wherever_it_stands() {
        let allow = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/nodes"},"Action":"sts:*"}"#;
        let deny = r#"{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:Assume*"}"#;
        for both in [format!("[{allow},{deny}]"), format!("[{deny},{allow}]")] {
            assert_eq!(trusts(&both, NODES, "sts:AssumeRole"), Trust::No);
            assert_eq!(trusts(&both, NODES, "sts:TagSession"), Trust::Yes);
        }
        let sometimes = r#"{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        assert_eq!(trusts(&format!("[{sometimes},{allow}]"), NODES, "sts:AssumeRole"), if_(&["`aws:SecureTransport`"]));
    }

    #[test]
    fn conditions_and_whole_accounts_are_told() {
        let statement = r#"{"Effect":"Allow","Principal":{"Service":"elasticmapreduce.amazonaws.com"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"},"ArnLike":{"aws:SourceArn":"arn:aws:elasticmapreduce:*"}}}"#;
        assert_eq!(trusts(statement, EMR, "sts:AssumeRole"), if_(&["`aws:SourceAccount`", "`aws:SourceArn`"]));
        let account =
            r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}"#;
        assert_eq!(trusts(account, NODES, "sts:AssumeRole"), if_(&["the policies of its account"]));
        assert_eq!(
            trusts(account, Principal::Role("arn:aws:iam::999999999999:role/nodes"), "sts:AssumeRole"),
            Trust::No
        );
    }

    #[test]
    fn all_but_some_actions() {
        let statement = r#"{"Effect":"Allow","Principal":"*","NotAction":["sts:Tag*"]}"#;
        assert_eq!(trusts(statement, NODES, "sts:AssumeRole"), Trust::Yes);
        assert_eq!(trusts(statement, NODES, "sts:TagSession"), Trust::No);
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("*", "sts:AssumeRole", true),
            ("sts:assume*", "sts:AssumeRole", true),
            ("s?s:*Role", "sts:AssumeRole", true),
            ("sts:Assume", "sts:AssumeRole", false),
            ("ec2:*", "sts:AssumeRole", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern}");
        }
    }
}
