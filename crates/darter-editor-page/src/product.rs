//! What the page has to know about the installed VS Code: its `product.json`, and where extensions come from.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// The parts of `product.json` that the page speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Names the build; the page and the server inside must have the same one.
    pub commit: String,
    pub version: String,
    pub quality: String,
    pub code_server_version: String,
}

impl Product {
    /// Reads `product.json` of an installed VS Code.
    pub fn read(file: &Path) -> std::io::Result<Self> {
        let product: Self = serde_json::from_slice(&std::fs::read(file)?)?;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if [&product.commit, &product.version, &product.quality].into_iter().all(|text| plain(text)) {
            return Ok(product);
        }
        Err(std::io::Error::other("product.json names its build in letters that an address cannot carry"))
    }
}

/// Where extensions come from. The default is Open VSX, the gallery that every editor may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gallery {
    pub service_url: String,
    pub item_url: String,
    pub resource_url_template: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub extension_url_template: String,
    #[serde(default)]
    pub control_url: String,
}

impl Default for Gallery {
    fn default() -> Self {
        let at = |rest: &str| format!("https://open-vsx.org/vscode/{rest}");
        Self {
            service_url: at("gallery"),
            item_url: at("item"),
            resource_url_template: at(
                "asset/{publisher}/{name}/{version}/Microsoft.VisualStudio.Code.WebResources/{path}",
            ),
            extension_url_template: at("gallery/{publisher}/{name}/latest"),
            control_url: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_read_and_its_build_checked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("product.json");
        let text = |commit: &str| {
            format!(r#"{{"commit":"{commit}","version":"1.2.3","quality":"stable","codeServerVersion":"4.1.1","x":1}}"#)
        };
        std::fs::write(&file, text("ab12")).unwrap();
        assert_eq!(Product::read(&file).unwrap().commit, "ab12");
        std::fs::write(&file, text("../x")).unwrap();
        assert!(Product::read(&file).is_err());
    }
}
