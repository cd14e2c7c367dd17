//! Secrets Manager is moto's: soflow's own client asks it through the twin.

use aws_credential_types::Credentials;
use serde_json::{Value, json};
use soflow::aws::{SECRETS_MANAGER, Session};

use crate::twin::{REGION, Twin};
use crate::twin_checks::client::json_call;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_and_one_that_is_not_there_is_told() {
    let twin = tokio::task::spawn_blocking(Twin::start).await.unwrap();
    let secret =
        json!({ "Name": "twin/api", "SecretString": "{\"key\": \"k\"}", "ClientRequestToken": "0".repeat(32) });
    let made = json_call(&twin, "secretsmanager", "secretsmanager.CreateSecret", &secret).unwrap();
    assert_eq!(made.status, 200, "{}", made.text());

    let loader = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
        .empty_test_environment()
        .endpoint_url(twin.url())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    let session = Session::of(loader.load().await, 1.0).unwrap();
    let arn = made.json()["ARN"].as_str().unwrap().to_string();
    for name in ["twin/api", &arn] {
        let answer: Value =
            session.call(&SECRETS_MANAGER, "GetSecretValue", &json!({ "SecretId": name })).await.unwrap();
        assert_eq!(answer["SecretString"], "{\"key\": \"k\"}");
    }
    let gone = session.call::<Value>(&SECRETS_MANAGER, "GetSecretValue", &json!({ "SecretId": "gone" })).await;
    assert_eq!(gone.unwrap_err().code, "ResourceNotFoundException");
    tokio::task::spawn_blocking(move || drop(twin)).await.unwrap();
}
