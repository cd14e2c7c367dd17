use super::testing::Bucket;
use super::*;

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
    assert_eq!(bucket.reads().len(), 3);
    bucket.cut(0);
    let short = bucket.store.get_part(&object, 99_000..100_001).await.unwrap_err();
    assert_eq!(short.kind, Kind::Machine, "a part that ends too early is not a part");
}
