//! `soflow report`: what the page says is what the tables say, as HTML and as Markdown, also of a run that failed.

use fs_err as fs;

use super::support::{Project, engine_is_there};

const JOB: &str = "\
description: Sales <b>of</b> shops.
steps:
  sales: { sql: steps/sales.sql, writes: [sales] }
tables:
  sales: { description: One row a day | and a shop., key: [day, shop], checks: [{ rows-at-least: 1 }] }
insights:
  - { title: Best, sql: \"SELECT concat(shop, ' & ', CAST(total AS string)) FROM sales ORDER BY total DESC LIMIT 1\" }
report:
  - { title: At a glance, kind: tiles, sql: \"SELECT 'Sum' AS label, sum(total) AS value FROM sales\" }
  - { title: Shops, kind: trends, sql: \"SELECT shop AS label, day AS x, total AS value, n FROM sales ORDER BY shop, day\" }
  - { title: Wrong, kind: bars, sql: \"SELECT nothing AS label, 1 AS value FROM sales\" }
";

const SALES: &str = "\
select date_add(date'2026-01-01', cast(id as int)) as day, '<i>a|b</i>' as shop, id * 1000.6 as total, id as n from range(4)
union all select date'2026-01-01', 'http://x.example', 7.25, 1";

fn published() -> Project {
    engine_is_there();
    let project = Project::empty();
    project.soflow(["init", "."]).succeeded();
    project.write("jobs/sold.yaml", JOB);
    project.write("pyspark/steps/sales.sql", SALES);
    project.soflow(["submit", "sold", "--date", "2026-11-22"]).succeeded();
    project
}

/// Returns the cells of the rows of a table, by the words in its summary.
fn cells(html: &str, summary: &str) -> Vec<Vec<String>> {
    let rest = html.split_once(&format!("<summary>{summary}")).unwrap().1;
    let body = rest.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap().0;
    let cell = |text: &str| text.split_once('>').unwrap().1.trim().to_string();
    body.split("<tr>").skip(1).map(|row| row.split("<td").skip(1).map(cell).collect()).collect()
}

#[test]
fn the_page_says_what_the_tables_say() {
    let project = published();
    let said = project.soflow(["report"]);
    assert!(said.stderr.contains("chart `Wrong` cannot be computed"), "{said}");
    assert_eq!((said.code, said.stdout.starts_with(".soflow/report/sold.html")), (Some(0), true), "{said}");
    let html = fs::read_to_string(project.path().join(".soflow/report/sold.html")).unwrap();
    let asked = project.soflow(["query", "select shop, day, total, n from sales order by shop, day", "--csv"]);
    let rows = cells(&html, "Shops as a table");
    assert_eq!(rows.len(), asked.stdout.lines().count() - 1, "{asked}");
    assert_eq!(rows[1], ["&lt;i&gt;a|b&lt;/i&gt;", "2026-01-02", "1,001", "1"]);
    assert_eq!(rows[4], ["http://x.example", "2026-01-01", "7.25", "1"]);
    assert!(html.contains("<b>6,011</b>"), "the sum of all");
    assert!(html.contains("<li>&lt;i&gt;a|b&lt;/i&gt; &amp; 3001.8"), "the insight");
    assert!(html.contains("This chart cannot be drawn: "), "the chart that is wrong");
    assert!(html.contains("All 3 checks of 1 table held"), "the checks");
    assert!(!html.contains("<i>") && !html.contains("<b>of"), "what is data became markup");
}

#[test]
fn the_page_is_there_after_a_publication_and_no_reason_to_fail() {
    let project = published();
    let page = project.path().join(".soflow/report/sold.html");
    let (written, asked) = (fs::read_to_string(&page).unwrap(), project.soflow(["report", "-o", "-"]).stdout);
    let without_time = |page: &str| page.split_once("<main").unwrap().1.split_once("<footer").unwrap().0.to_string();
    assert_eq!(without_time(&written), without_time(&asked), "after the run, and when it is asked for");
    fs::remove_dir_all(page.parent().unwrap()).unwrap();
    project.write(".soflow/report", "in the way");
    let again = project.soflow(["submit", "sold", "--date", "2026-11-22", "--force", "--output", "json"]);
    assert_eq!(again.code, Some(0), "{again}");
    let told = again.stderr.contains("the report cannot be written: ") && again.stderr.contains("`soflow report sold`");
    assert!(told, "{again}");
    assert_eq!(again.json()["report"], serde_json::Value::Null);
}

#[test]
fn markdown_goes_to_stdout_and_the_page_where_it_is_wanted() {
    let project = published();
    let said = project.soflow(["report", "sold", "--format", "markdown"]);
    let (table, mut rows) = (said.stdout.split_once("### Tables").unwrap().1, 0);
    for line in table.lines().filter(|line| line.starts_with('|')) {
        rows += 1;
        assert_eq!(line.replace("\\|", "").matches('|').count(), 5, "{line}");
    }
    assert_eq!(rows, 3);
    assert!(!said.stdout.contains("<i>") && !said.stdout.contains("http://"), "{said}");
    let said = project.soflow(["report", "sold", "-o", "a/b.html", "--open", "--output", "json"]).json();
    assert_eq!((said["opened"].as_bool(), said["run"].as_str()), (Some(false), Some("sold.2026-11-22.1")));
    let size = fs::metadata(project.path().join("a/b.html")).unwrap().len();
    assert_eq!(said["bytes"], size);
    assert!(project.soflow(["report", "-o", "-"]).stdout.starts_with("<!doctype html>"));
}

#[test]
fn a_run_that_failed_says_why() {
    let project = published();
    project.write("pyspark/steps/sales.sql", &format!("select * from ({SALES}) where n > 9"));
    let refused = project.soflow(["submit", "sold", "--date", "2026-11-23"]);
    assert_eq!(refused.code, Some(6), "{refused}");
    let html = project.soflow(["report", "-o", "-"]).stdout;
    assert!(html.contains("sold.2026-11-23.1") && html.contains("refused by its checks"), "{html}");
    assert!(html.contains("Why it is not published") && !html.contains("checks of"), "{html}");
}

#[test]
fn what_cannot_be_reported_on_is_told() {
    let project = Project::empty();
    shot!("nothing_has_run", project.soflow(["report"]));
    shot!("a_link_here", project.soflow(["report", "daily", "--link"]));
}
