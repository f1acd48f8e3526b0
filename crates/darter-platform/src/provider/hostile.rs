//! The private reader of [`crate::hostile::text`] about signing in elsewhere.

/// Where a browser is sent afterwards, as a browser understands it.
pub(crate) fn way_back(text: &str) {
    let path = super::safe_return(Some(text));
    let base = url::Url::parse("https://console.example").expect("an address");
    let there = base.join(&path).expect("a path of ours");
    assert_eq!(there.origin(), base.origin(), "{path:?} leads to {there}");
}
