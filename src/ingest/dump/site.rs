//! Which site a dump is of, from what its file or folder is called.

/// Returns the API's name of the site that a file or folder without its endings is named after, or `None` when it is
/// not named after a host: `bicycles.meta.stackexchange.com`, `stackoverflow.com-Posts`, `ru.stackoverflow.com`.
///
/// The API drops `.stackexchange.com` and `.com` and keeps other endings. Source: `api_site_parameter` of
/// <https://api.stackexchange.com/docs/sites>, where MathOverflow is `mathoverflow.net`.
pub fn of_stem(stem: &str) -> Option<String> {
    let lower = stem.to_ascii_lowercase();
    let host = lower.rsplit_once('-').map_or(lower.as_str(), |(host, _)| host);
    let site = match host.strip_suffix(".com") {
        Some(rest) => rest.strip_suffix(".stackexchange").unwrap_or(rest),
        None => host.ends_with(".net").then_some(host)?,
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    (site.starts_with(|c: char| c.is_ascii_alphanumeric()) && site.chars().all(fits)).then(|| site.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_the_name_the_api_calls_it_by() {
        for (stem, site) in [
            ("stackoverflow.com-Posts", Some("stackoverflow")),
            ("bicycles.meta.stackexchange.com", Some("bicycles.meta")),
            ("meta.stackexchange.com", Some("meta")),
            ("ru.stackoverflow.com", Some("ru.stackoverflow")),
            ("pt.meta.stackoverflow.com-Users", Some("pt.meta.stackoverflow")),
            ("mathoverflow.net", Some("mathoverflow.net")),
            ("Posts", None),
            ("my folder.com", None),
            (".com", None),
            ("stackexchange_20260630", None),
        ] {
            assert_eq!(of_stem(stem).as_deref(), site, "{stem}");
        }
    }
}
