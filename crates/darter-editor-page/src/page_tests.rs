//! What the page says, as the browser reads it.

use super::*;

fn product_of_a_test() -> Product {
    Product {
        commit: "ab12".into(),
        version: "1.2.3".into(),
        quality: "stable".into(),
        code_server_version: "4.1.1".into(),
    }
}

fn input(product: &Product, depth: Depth) -> PageInput<'_> {
    PageInput {
        product,
        depth,
        scheme: "http",
        authority: "ada-k3jx.apps.localhost:7070",
        static_base: "http://static.apps.localhost:7070/d1",
        own_static: "/.darter/static/d1",
        port_address: "http://{{port}}-k3jx.apps.localhost:7070",
        folder: "/home/user",
        user_data: "/home/user/.local/share/code-server",
        title: "ada",
        gallery: None,
        nonce: "n0",
    }
}

/// The settings as the browser reads them.
fn settings(page: &Page) -> Value {
    let from = page.html.find("web-configuration\" data-settings=\"").unwrap() + 34;
    let text = &page.html[from..][..page.html[from..].find('"').unwrap()];
    serde_json::from_str(
        &text
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
    .unwrap()
}

#[test]
fn both_depths_open_the_same_folder_and_keep_their_data_at_the_same_place() {
    let product = product_of_a_test();
    let full = settings(&render(&input(&product, Depth::Full)));
    let light = settings(&render(&input(&product, Depth::Light)));
    let beside = |depth| format!("<script nonce=\"n0\" src=\"/.darter/page.js\" data-depth=\"{depth}\" defer>");
    assert!(render(&input(&product, Depth::Full)).html.contains(&beside("full")));
    assert!(render(&input(&product, Depth::Light)).html.contains(&beside("light")));
    for key in ["folderUri", "userDataPath"] {
        assert_eq!(full[key], light[key]);
    }
    assert!(full.get("darterLight").is_none() && full.get("additionalBuiltinExtensions").is_none());
    assert_eq!(light["darterLight"], true);
    assert_eq!(light["additionalBuiltinExtensions"][0]["path"], "/d1/light/extension");
}

#[test]
fn nothing_that_a_person_named_leaves_its_attribute() {
    let product = product_of_a_test();
    let hostile = "\"><script>alert(1)</script>";
    let page = render(&PageInput { title: hostile, folder: hostile, ..input(&product, Depth::Full) });
    assert!(!page.html.contains("<script>alert"));
    assert_eq!(
        settings(&PageInput { folder: hostile, ..input(&product, Depth::Full) }.page())["folderUri"]["path"],
        hostile
    );
}

#[test]
fn scripts_come_from_the_static_files_or_carry_the_nonce() {
    let product = product_of_a_test();
    let page = render(&input(&product, Depth::Light));
    assert!(page.policy.contains("script-src 'self' 'unsafe-eval' http://static.apps.localhost:7070 blob: 'nonce-n0'"));
    assert!(page.html.contains("/d1/light/page.js"));
    let own = render(&PageInput { static_base: "/.darter/static/d1", ..input(&product, Depth::Full) });
    assert!(own.policy.contains("http://ada-k3jx.apps.localhost:7070"));
}

#[test]
fn telemetry_is_off_and_a_gallery_is_the_operators() {
    let product = product_of_a_test();
    let none = settings(&render(&input(&product, Depth::Full)));
    assert_eq!(none["productConfiguration"]["enableTelemetry"], false);
    assert!(none["productConfiguration"].get("extensionsGallery").is_none());
    let gallery = Gallery::default();
    let some = settings(&render(&PageInput { gallery: Some(&gallery), ..input(&product, Depth::Full) }));
    assert_eq!(some["productConfiguration"]["extensionsGallery"]["serviceUrl"], gallery.service_url);
}

trait Rendered {
    fn page(&self) -> Page;
}

impl Rendered for PageInput<'_> {
    fn page(&self) -> Page {
        render(self)
    }
}
