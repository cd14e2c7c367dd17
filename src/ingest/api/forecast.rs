//! How many requests a reading will take.

use std::sync::Arc;

use serde::Serialize;

use super::client::Client;
use super::cursor::PAGE;
use super::endpoint::Endpoint;
use super::fetch::{ApiReader, ApiRequest, Clock};
use super::response::Expected;
use super::state::ApiQuota;
use crate::error::{Error, Kind, Result};
use crate::event::Sink;
use crate::ingest::raw;
use crate::store::Store;

/// What reading an endpoint will take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// `questions`.
    pub endpoint: String,
    /// Items to read now, not counting what an earlier call has left unfinished.
    pub items: i64,
    /// Requests that those take.
    pub requests: i64,
}

/// Returns what [`super::fetch`] will take. Asks the API for the number of items of each list: one request each.
///
/// # Errors
/// As [`super::fetch`].
pub async fn forecast(
    store: Arc<dyn Store>,
    request: &ApiRequest,
    client: &Client,
    clock: &dyn Clock,
    sink: &mut dyn Sink,
) -> Result<(Vec<Forecast>, Option<ApiQuota>)> {
    raw::check_names(&request.site, &[])?;
    let mut reader = ApiReader::begin(store, request, client, clock, sink).await?;
    let mut forecasts = Vec::new();
    let mut done = Ok(());
    for endpoint in &request.endpoints {
        match reader.forecast(endpoint).await {
            Ok(forecast) => forecasts.push(forecast),
            Err(error) => {
                done = Err(error);
                break;
            }
        }
    }
    let quota = reader.book.state.quota.clone().filter(|quota| quota.counted == client.counted());
    let closed = reader.book.close().await;
    done?;
    closed?;
    Ok((forecasts, quota))
}

impl ApiReader<'_> {
    async fn forecast(&mut self, endpoint: &'static Endpoint) -> Result<Forecast> {
        let (mut items, mut requests) = (0, 0);
        let lists = self.wanted(endpoint)?.map_or_else(Vec::new, |window| window.lists(endpoint));
        for cursor in lists {
            let mut params = self.params(endpoint, &cursor);
            // The built-in filter that leaves everything else out.
            params.insert("filter".into(), "total".into());
            let page = self.ask(endpoint, &params, Expected::Total, None).await?.page;
            let total = page.total.ok_or_else(|| Error::new(Kind::Internal, "a total without a number"))?;
            items += total;
            // Each page but the last has one item that the next one has too.
            requests += 1 + (total - 2).max(0) / (PAGE.cast_signed() - 1);
        }
        Ok(Forecast { endpoint: endpoint.name.into(), items, requests })
    }
}
