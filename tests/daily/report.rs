//! The page of the daily job: the same figures as the tables, small, without an address, and nothing that a checker of
//! accessibility finds.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;
use serde_json::Value;

use super::lab::Lab;
use crate::twin::tools;

const LOCK: &str = include_str!("../accessibility/package-lock.json");
const PACKAGE: &str = include_str!("../accessibility/package.json");

/// Asks the page of the published job, and looks at it.
pub fn says_what_the_tables_say(lab: &Lab) {
    lab.run(&["report", "daily"]).expect(0);
    let page = lab.root().join(".soflow/report/daily.html");
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.len() < 300_000, "{} bytes", html.len());
    assert!(!html.contains("://"), "it names an address");
    assert!(!html.contains("cannot be drawn") && !html.contains("nothing to show"), "a chart is missing");
    for table in super::whole::TABLES {
        let rows = soflow::report::count(lab.version(table).rows());
        assert!(
            html.contains(&format!(">{rows}<td")) || html.contains(&format!(">{rows} rows</text>")),
            "{table}: {rows}"
        );
    }
    let first = |sql: &str| {
        let asked = lab.run(&["query", sql, "--output", "json"]);
        asked.expect(0).json()["rows"][0].clone()
    };
    // What the summary calls a tag's mood is what the chart draws.
    let mood = number(&first("select effect from findings where kind = 'mood' and subject = 'rust'")["effect"]);
    assert!(html.contains(&format!("<title>rust: +{mood:.2} (")), "rust: {mood}");
    let asked = first(
        "select sum(n_cohort) n, sum(answered_24h * n_cohort) / sum(n_cohort) r from tag_health_monthly where mature and \
         tag = 'python' and month > (select add_months(max(month), -6) from tag_health_monthly where mature)",
    );
    let told = format!("<title>python: {:.0} % (", number(&asked["r"]) * 100.0);
    assert!(html.contains(&told) && html.contains(&format!(", n {})", number(&asked["n"]))), "{told} of {asked}");
    accessible(&html);
}

fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap()
}

/// Asserts that axe finds nothing in the page, light and dark.
fn accessible(html: &str) {
    if std::env::var_os("SOFLOW_TEST_BROWSER").is_none_or(|value| value != "1") {
        println!("skipped: the report in a browser: SOFLOW_TEST_BROWSER is not 1");
        return;
    }
    let folder = tools::made("axe", LOCK, |folder| {
        fs::write(folder.join("package.json"), PACKAGE).unwrap();
        fs::write(folder.join("package-lock.json"), LOCK).unwrap();
        tools::run(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder));
    });
    let axe = fs::read_to_string(folder.join("node_modules/axe-core/axe.min.js")).unwrap();
    // Tables are looked at, too: whoever opens one must be able to read it.
    let ask = "document.querySelectorAll('details').forEach((one) => { one.open = true; });\
               axe.run().then((found) => { document.body.textContent = 'AXE' + JSON.stringify({\
               found: found.violations.map((one) => [one.id, one.nodes.map((node) => node.html)]), passed: found.passes.length }) + 'END'; });";
    for theme in ["light", "dark"] {
        let dressed = html.replacen("<html ", &format!("<html data-theme=\"{theme}\" "), 1);
        let dressed = dressed.replace("</body>", &format!("<script>{axe}</script><script>{ask}</script></body>"));
        let file = tempfile::Builder::new().suffix(".html").tempfile().unwrap();
        fs::write(file.path(), dressed).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new(browser());
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", "--dump-dom"]);
        browser.arg(format!("--user-data-dir={}", profile.path().display()));
        let output = browser.arg(file.path()).output().unwrap();
        let dom = String::from_utf8_lossy(&output.stdout);
        let told = dom.split_once("AXE").and_then(|(_, rest)| rest.split_once("END")).map(|(told, _)| told);
        let told = told.unwrap_or_else(|| panic!("axe did not end: {}", String::from_utf8_lossy(&output.stderr)));
        let told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let seen: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(seen["found"], Value::Array(Vec::new()), "{theme}: {seen:#}");
        assert!(seen["passed"].as_u64().unwrap() > 20, "{theme}: {seen:#}");
    }
}

fn browser() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = std::env::split_paths(&path).flat_map(|folder| names.map(|name| Path::new(&folder).join(name)));
    found.find(|program| program.is_file()).expect("SOFLOW_TEST_BROWSER=1 needs Chromium or Chrome on the path")
}
