//! Steps as they are given to EMR, and found there.

use super::*;
use crate::names::Uri;

fn order(step: &str, spark: &[(&str, &str)]) -> StepOrder {
    StepOrder {
        run: "daily.2026-11-22.3".parse().unwrap(),
        step: step.into(),
        code: format!("steps/{step}.py").into(),
        task: Uri::in_bucket("a", &format!("runs/daily/2026-11-22/3/tasks/{step}.json")),
        logs: Uri::in_bucket("a", "logs"),
        spark: spark.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
        step_id: None,
        outputs: Vec::new(),
    }
}

fn shipped(environment: bool) -> Shipped {
    let place = |tail: &str| Uri::in_bucket("a", tail);
    Shipped { code: place("code/1f"), environment: environment.then(|| place("dependencies/2e.tar.gz")) }
}

fn added(orders: &[StepOrder], shipped: &Shipped, chains: bool) -> Result<Vec<NewStep>> {
    let done = chains.then(|| Uri::in_bucket("a", "scratch/j-1"));
    let form = StepForm { shipped, action_on_failure: ActionOnFailure::Continue, done };
    form.steps(&orders.iter().collect::<Vec<_>>())
}

#[test]
fn options_stay_whole_whatever_is_in_them() {
    let spark = [("executor-memory", "4g"), ("spark.x", "a b,c 'd' \"e\" $(f)"), ("archives", "s3://b/x.zip#x")];
    let steps = added(&[order("questions", &spark)], &shipped(true), false).unwrap();
    insta::assert_snapshot!(steps[0].args.join("\n"), @r#"
    spark-submit
    --master
    yarn
    --deploy-mode
    cluster
    --name
    daily.2026-11-22.3/questions
    --executor-memory
    4g
    --conf
    spark.pyspark.python=./environment/bin/python
    --conf
    spark.sql.session.timeZone=UTC
    --conf
    spark.x=a b,c 'd' "e" $(f)
    --conf
    spark.yarn.maxAppAttempts=1
    --archives
    s3://b/x.zip#x,s3://a/dependencies/2e.tar.gz#environment
    --py-files
    s3://a/code/1f/soflow_code.zip
    s3://a/code/1f/steps/questions.py
    --task
    s3://a/runs/daily/2026-11-22/3/tasks/questions.json
    "#);
}

#[test]
fn more_than_emr_takes_is_refused_before_any_call() {
    let long = "x".repeat(MOST_CHARACTERS);
    let orders = [order("questions", &[("spark.x", &long)]), order("answers", &[])];
    for chains in [true, false] {
        let error = added(&orders, &shipped(false), chains).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains("EMR takes 10240"), "{error}");
    }
}

#[test]
fn neighbours_with_the_same_options_are_one_chain() {
    let more = [("executor-memory", "4g")];
    let orders =
        [order("a", &[]), order("b", &[]), order("c", &more), order("d", &more), order("e", &more), order("f", &[])];
    let names = |chains| {
        let steps = added(&orders, &shipped(true), chains).unwrap();
        let names = steps.iter().map(|step| (step.name.clone(), step.names().len()));
        names.map(|(name, members)| format!("{} {members}", step_of(&name))).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(names(true), "a+1 2, c+2 3, f 1");
    assert_eq!(names(false), "a 1, b 1, c 1, d 1, e 1, f 1");
    let chain = &added(&orders[..2], &shipped(true), true).unwrap()[0];
    assert_eq!(chain.names(), ["daily.2026-11-22.3/a", "daily.2026-11-22.3/b"]);
    insta::assert_snapshot!(chain.args[7..].join("\n"), @r"
    --conf
    spark.pyspark.python=./environment/bin/python
    --conf
    spark.sql.session.timeZone=UTC
    --conf
    spark.yarn.maxAppAttempts=1
    --archives
    s3://a/dependencies/2e.tar.gz#environment
    --py-files
    s3://a/code/1f/soflow_code.zip
    s3://a/code/1f/soflow_chain.py
    s3://a/scratch/j-1
    s3://a/code/1f/steps/a.py
    --task
    s3://a/runs/daily/2026-11-22/3/tasks/a.json
    s3://a/code/1f/steps/b.py
    --task
    s3://a/runs/daily/2026-11-22/3/tasks/b.json
    ");
}

#[test]
fn what_is_too_long_for_one_chain_is_several() {
    let orders: Vec<StepOrder> = (0..250).map(|number| order(&format!("step-{number:03}"), &[])).collect();
    let steps = added(&orders, &shipped(true), true).unwrap();
    let members: Vec<usize> = steps.iter().map(|step| step.names().len()).collect();
    assert!(members.len() > 1 && members[0] > 50, "{members:?}");
    assert!(members[1..].iter().all(|count| *count <= members[0]), "{members:?}");
    let names: Vec<String> = steps.iter().flat_map(NewStep::names).collect();
    assert!(names.iter().eq(orders.iter().map(|order| name(&order.run, &order.step)).collect::<Vec<_>>().iter()));
    for step in steps {
        assert!(step.args.iter().map(String::len).sum::<usize>() + COMMAND_RUNNER.len() <= MOST_CHARACTERS);
    }
}

#[test]
fn of_several_copies_the_first_is_the_one_and_later_ones_that_have_not_ended_are_spare() {
    let step = EmrStep::testing;
    let found = ClusterSteps::of(vec![
        step("s-5", "r/two", "PENDING"),
        step("s-4", "r/one", "RUNNING"),
        step("s-3", "r/one", "CANCELLED"),
        step("s-2", "r/two", "PENDING"),
        step("s-1", "r/one", "COMPLETED"),
    ]);
    let spare: Vec<&str> = found.spare.iter().map(|step| step.id.as_str()).collect();
    assert_eq!((found.ids["r/one"].as_str(), found.ids["r/two"].as_str()), ("s-1", "s-2"));
    assert_eq!(spare, ["s-4", "s-5"]);
}

#[test]
fn a_chain_is_known_by_its_members_and_what_has_one_of_them_again_is_a_copy() {
    let chain = |id: &str, members: &str, state: &str| {
        let members = members.split(' ').map(String::from).collect();
        let chain = Some(Chain { members, done: Uri::in_bucket("a", "done") });
        EmrStep { chain, ..EmrStep::testing(id, "r/whatever it is called", state) }
    };
    let found = ClusterSteps::of(vec![
        chain("s-4", "d e", "PENDING"),
        chain("s-3", "two three", "PENDING"),
        EmrStep::testing("s-2", "r/one", "PENDING"),
        chain("s-1", "one two", "RUNNING"),
    ]);
    let spare: Vec<&str> = found.spare.iter().map(|step| step.id.as_str()).collect();
    let ids: Vec<String> = found.ids.iter().map(|(name, id)| format!("{name} {id}")).collect();
    assert_eq!((ids.join(", "), spare), ("r/d s-4, r/e s-4, r/one s-1, r/two s-1".into(), vec!["s-2", "s-3"]));
}
