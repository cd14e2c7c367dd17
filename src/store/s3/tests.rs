use super::testing::{self, Bucket, Fault};
use super::*;
use crate::aws::RetryPolicy;

#[tokio::test]
async fn a_part_is_that_of_the_listed_object_or_none() {
    let bucket = Bucket::start().await;
    let object = bucket.put("a", b"0123456789".to_vec());
    let part = |range| bucket.store.get_part(&object, range);
    assert_eq!(part(2..5).await.unwrap().as_deref(), Some(&b"234"[..]));
    assert_eq!(part(3..3).await.unwrap().as_deref(), Some(&b""[..]));
    bucket.put("a", b"another 10".to_vec());
    assert_eq!(part(2..5).await.unwrap(), None);
    bucket.remove(&object);
    assert_eq!(part(2..5).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_again_but_not_for_ever() {
    let bucket = Bucket::start().await;
    let object = bucket.put("a", vec![7; 100_000]);
    bucket.cut(2);
    assert_eq!(bucket.store.get_part(&object, 0..100_000).await.unwrap().map(|part| part.len()), Some(100_000));
    assert_eq!(bucket.reads().len(), 3);
    bucket.cut(usize::MAX);
    let error = bucket.store.get_part(&object, 0..100_000).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Machine, "`s3://lake/a` could not be read to its end"));
    assert_eq!(bucket.reads().len(), 6);
    bucket.cut(0);
    let short = bucket.store.get_part(&object, 99_000..100_001).await.unwrap_err();
    assert_eq!(short.kind, Kind::Machine, "a part that ends too early is not a part");
}

fn uri(key: &str) -> Uri {
    Uri::in_bucket(testing::BUCKET, key)
}

#[tokio::test]
async fn every_operation_sits_out_that_s3_slows_down() {
    let bucket = Bucket::start().await;
    let store = &bucket.store;
    for (status, code) in [(503, "SlowDown"), (503, "ServiceUnavailable")] {
        for method in ["PUT", "GET", "HEAD", "POST", "DELETE"] {
            bucket.fail(method, 8, Fault::Refused(status, code));
        }
        store.put(&uri("t/a"), b"1").await.unwrap();
        let (body, tag) = store.get_tagged(&uri("t/a")).await.unwrap().unwrap();
        assert_eq!(body, b"1");
        assert_eq!(store.size(&uri("t/a")).await.unwrap(), Some(1));
        assert_eq!(store.put_if_absent(&uri("t/a"), b"2").await.unwrap(), None);
        assert!(store.remove_if_match(&uri("t/a"), &tag).await.unwrap());
        store.put(&uri("t/b"), b"1").await.unwrap();
        assert_eq!(store.list(&uri("t")).await.unwrap().len(), 1);
        store.remove(&uri("t")).await.unwrap();
        assert_eq!(store.list(&uri("t")).await.unwrap(), []);
    }
    bucket.fail("GET", usize::MAX, Fault::Refused(503, "SlowDown"));
    let error = store.get(&uri("t/a")).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Machine, "S3 is throttling this account: GetObject"));
}

#[tokio::test]
async fn a_conflict_that_never_ends_is_told_and_one_that_does_is_not_noticed() {
    for (status, code) in [(409, "ConditionalRequestConflict"), (412, "PreconditionFailed")] {
        let bucket = Bucket::start().await;
        bucket.fail("PUT", 3, Fault::Refused(status, code));
        let tag = bucket.store.put_if_absent(&uri("lease"), b"mine").await.unwrap().unwrap();
        bucket.fail("PUT", 3, Fault::Refused(status, code));
        let tag = bucket.store.put_if_match(&uri("lease"), b"still mine", &tag).await.unwrap().unwrap();
        bucket.requests();
        bucket.fail("PUT", usize::MAX, Fault::Refused(status, code));
        let error = bucket.store.put_if_match(&uri("lease"), b"for ever", &tag).await.unwrap_err();
        assert_eq!(error.kind, Kind::Machine, "{error:?}");
        let error = bucket.store.put_if_absent(&uri("run.json"), b"mine").await.unwrap_err();
        assert_eq!(error.kind, Kind::Machine, "{error:?}");
        assert!(bucket.requests().len() <= 24, "a loop without end");
        // Someone else's object is a race that was lost, not a conflict.
        bucket.put("run.json", b"theirs".to_vec());
        assert_eq!(bucket.store.put_if_absent(&uri("run.json"), b"mine").await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_as_ours() {
    let bucket = Bucket::start().await;
    bucket.fail("PUT", 1, Fault::Unanswered);
    let tag = bucket.store.put_if_absent(&uri("run.json"), b"mine").await.unwrap();
    assert!(tag.is_some() && bucket.content("run.json").as_deref() == Some(b"mine"));
}

#[tokio::test]
async fn an_answer_that_never_came_is_told_from_a_server_that_was_never_reached() {
    let bucket = Bucket::start().await;
    bucket.fail("PUT", usize::MAX, Fault::Unanswered);
    let error = bucket.store.put(&uri("a"), b"1").await.unwrap_err();
    assert_eq!(error.message, "S3 did not answer `PutObject`");
    let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
    let nowhere = S3Store::new(&Session::for_tests("http://127.0.0.1:1", keys, RetryPolicy::hasty()));
    let error = nowhere.put(&uri("a"), b"1").await.unwrap_err();
    assert_eq!(error.message, "S3 cannot be reached");
}

#[tokio::test]
async fn a_silent_server_and_one_that_stops_in_the_midst_are_given_up() {
    let soon = std::time::Duration::from_millis(50);
    let policy = RetryPolicy { answer: soon, attempts: 2, ..RetryPolicy::hasty() };
    let bucket = Bucket::with(policy).await;
    bucket.put("a", vec![7; 1000]);
    for method in ["GET", "PUT", "HEAD", "DELETE"] {
        bucket.fail(method, usize::MAX, Fault::Silent);
    }
    let tag = Tag("x".into());
    let store = &bucket.store;
    let failures = [
        store.get(&uri("a")).await.unwrap_err(),
        store.size(&uri("a")).await.unwrap_err(),
        store.list(&uri("a")).await.unwrap_err(),
        store.put(&uri("a"), b"1").await.unwrap_err(),
        store.put_if_match(&uri("a"), b"1", &tag).await.unwrap_err(),
        store.remove_if_match(&uri("a"), &tag).await.unwrap_err(),
    ];
    for error in failures {
        assert!(error.message.starts_with("S3 did not answer"), "{}", error.message);
    }
    let bucket = Bucket::with(policy).await;
    bucket.put("a", vec![7; 1000]);
    bucket.fail("GET", usize::MAX, Fault::Stalled);
    let error = bucket.store.get(&uri("a")).await.unwrap_err();
    assert_eq!(error.message, "`s3://lake/a` could not be read to its end");
}

#[tokio::test]
async fn an_upload_that_is_gone_begins_again_and_one_that_was_completed_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("code.zip");
    let content: Vec<u8> = (0..17 << 20).map(|at: u32| (at % 251) as u8).collect();
    fs_err::write(&file, &content).unwrap();
    let bucket = Bucket::start().await;
    // Someone cleans up: the second part finds no upload.
    bucket.fail("PUT /lake/code.zip?x-id=UploadPart&partNumber=2", 1, Fault::Refused(404, "NoSuchUpload"));
    bucket.store.put_file(&uri("code.zip"), &file, &|_| ()).await.unwrap();
    assert!(bucket.content("code.zip").as_ref() == Some(&content));
    let begun = |requests: Vec<String>| requests.iter().filter(|line| line.contains("?uploads")).count();
    assert_eq!(begun(bucket.requests()), 3, "looked for, begun, begun again");
    // The answer to the last call is lost, and the upload is gone because it is done.
    bucket.fail("POST /lake/other.zip?x-id=CompleteMultipartUpload", 1, Fault::Unanswered);
    bucket.store.put_file(&uri("other.zip"), &file, &|_| ()).await.unwrap();
    assert!(bucket.content("other.zip").as_ref() == Some(&content));
    assert_eq!(begun(bucket.requests()), 2, "looked for and begun, once");
    // One that is always gone is told.
    bucket.fail("PUT", usize::MAX, Fault::Refused(404, "NoSuchUpload"));
    let error = bucket.store.put_file(&uri("third.zip"), &file, &|_| ()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Machine);
    bucket.abort_uploads();
}
