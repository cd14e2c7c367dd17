//! What is asked of Secrets Manager, and what its answers become.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{fetch, region_of};
use crate::aws::{RetryPolicy, Session};
use crate::error::{Error, Kind, Result};

/// Returns what `fetch` makes of an answer, and the head and the body of what was asked.
async fn asked(status: u16, answer: Json) -> (Result<String>, String, Json) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let keys = aws_credential_types::Credentials::new("id", "secret", None, None, "test");
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let session = Session::for_tests(&endpoint, keys, RetryPolicy::default());
    let serve = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let read = connection.read(&mut piece).await.unwrap();
            assert_ne!(read, 0, "the request ended early");
            request.extend_from_slice(&piece[..read]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            // The one thing asked is the whole body, so it is there when it can be read.
            if let Ok(body) = serde_json::from_str(body) {
                break (head.to_lowercase(), body);
            }
        };
        let answer = answer.to_string();
        let head_back = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
        connection.write_all(format!("{head_back}{answer}").as_bytes()).await.unwrap();
        (head, body)
    };
    let (found, (head, body)) = tokio::join!(fetch(&session, "soflow/api"), serve);
    (found, head, body)
}

async fn refused(status: u16, answer: Json) -> Error {
    asked(status, answer).await.0.unwrap_err()
}

#[tokio::test]
async fn the_text_of_the_secret_is_asked_for() {
    let (found, head, body) = asked(200, json!({ "Name": "soflow/api", "SecretString": "k3y" })).await;
    assert_eq!(found.unwrap(), "k3y");
    assert_eq!(body, json!({ "SecretId": "soflow/api" }));
    assert!(head.contains("x-amz-target: secretsmanager.getsecretvalue"), "{head}");
    assert!(head.contains("/eu-west-1/secretsmanager/aws4_request"), "{head}");
}

#[tokio::test]
async fn a_refusal_says_which_permission_to_add() {
    let arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:soflow/api-AbCdEf";
    let words = format!(
        "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: secretsmanager:GetSecretValue on resource: \
         {arn} because no identity-based policy allows the secretsmanager:GetSecretValue action"
    );
    let error = refused(400, json!({ "__type": "AccessDeniedException", "Message": words })).await;
    assert_eq!(error.kind, Kind::Machine);
    assert_eq!(
        error.hints[0],
        format!(
            r#"add to the policies of user `ci`: `{{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "{arn}"}}`"#
        )
    );
    assert_eq!(error.detail.unwrap(), "secret `soflow/api`, named by `ingest.secret`, in eu-west-1");
}

#[tokio::test]
async fn a_secret_that_is_not_there_or_binary_is_told() {
    let words = "Secrets Manager can't find the specified secret.";
    let error = refused(400, json!({ "__type": "ResourceNotFoundException", "message": words })).await;
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.message.contains(words), "{error}");
    assert_eq!(error.hints, ["`aws secretsmanager list-secrets --region eu-west-1` lists those that are there"]);
    for answer in [json!({ "SecretBinary": "czNjcmV0" }), json!({ "SecretString": ["s3cret"] })] {
        let error = refused(200, answer).await;
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Usage, "the secret `soflow/api` has no text: it is binary")
        );
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

#[test]
fn an_arn_names_its_region_and_a_name_does_not() {
    assert_eq!(region_of("arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a-AbCdEf"), Some("cn-north-1"));
    assert_eq!(region_of("arn/soflow"), None);
}
