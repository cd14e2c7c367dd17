//! Pages of lists.

use serde_json::{Value, json};

use super::Refusal;

/// Items a page. Source: ListSteps and ListClusters in the API reference.
const PAGE: usize = 50;

/// Returns the page that begins after `marker`, and the marker of the next. `id` tells items apart, so that a list
/// which grows at its head between two calls is neither shown twice nor with gaps.
pub fn page(key: &str, items: Vec<Value>, body: &Value, id: impl Fn(&Value) -> String) -> Result<Value, Refusal> {
    let first = match body["Marker"].as_str() {
        None => 0,
        Some(marker) => {
            let last = items.iter().position(|item| token(&id(item)) == marker);
            last.ok_or_else(|| Refusal::invalid("Marker is not valid."))? + 1
        }
    };
    let rest = items.len() - first;
    let page: Vec<Value> = items.into_iter().skip(first).take(PAGE).collect();
    let marker = page.last().map(|item| token(&id(item))).filter(|_| rest > PAGE);
    let mut answer = json!({ key: page });
    if let Some(marker) = marker {
        answer["Marker"] = marker.into();
    }
    Ok(answer)
}

/// A marker means nothing to a client.
fn token(id: &str) -> String {
    id.bytes().map(|byte| format!("{:02x}", byte ^ 0x55)).collect()
}
