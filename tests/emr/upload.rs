//! A large file on its way to S3: an upload that broke off goes on where it was.

use aws_credential_types::Credentials;
use fs_err as fs;
use soflow::aws::Session;
use soflow::names::Uri;
use soflow::store::{S3Store, Store};

use crate::twin::{Fault, FaultKind, REGION, Twin};

/// Five parts and a bit.
const BYTES: usize = (40 << 20) + 7;

#[test]
fn an_upload_that_broke_off_sends_only_what_is_missing() {
    let twin = Twin::start();
    twin.bucket("uploads");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let mut content: Vec<u8> = (0..BYTES).map(|at| (at / 4096 * 31 + at) as u8).collect();
    let to = Uri::in_bucket("uploads", "whole");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = runtime.block_on(store(&twin));
    let put = |content: &[u8]| {
        fs::write(&file, content).unwrap();
        twin.reset_calls();
        let done = runtime.block_on(store.put_file(&to, &file, &|_| {}));
        (done.is_ok(), twin.calls_of("s3", "UploadPart").len())
    };
    let refuse = |operation| twin.fault(Fault::new("s3", operation, FaultKind::AccessDenied));

    refuse("CompleteMultipartUpload");
    assert_eq!(put(&content), (false, 6));
    // A part of the file that was changed since is another one.
    content[20 << 20] ^= 1;
    assert_eq!(put(&content), (true, 1));
    assert!(twin.get(&to.to_string()).unwrap() == content, "what is there is not the file");

    // Who may not list parts begins anew.
    content[BYTES - 1] ^= 1;
    refuse("CompleteMultipartUpload");
    assert_eq!(put(&content), (false, 6));
    refuse("ListParts");
    assert_eq!(put(&content), (true, 6));
    assert!(twin.get(&to.to_string()).unwrap() == content, "what is there is not the file");
}

async fn store(twin: &Twin) -> S3Store {
    let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
    let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .empty_test_environment()
        .endpoint_url(twin.url())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(keys)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    S3Store::new(&Session::of(loader.load().await, 1.0).unwrap())
}
