//! Which methods each path has, read from the contract: for 405, `Allow` and the labels of what got lost.

use serde_json::Value;
use std::collections::BTreeSet;

/// Every method that a resource may have.
pub(crate) const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The paths of the OpenAPI document.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    pattern: String,
    methods: BTreeSet<String>,
}

impl Table {
    pub(crate) fn of(openapi: &Value) -> Self {
        let paths = openapi["paths"].as_object().into_iter().flatten();
        let entries = paths.map(|(pattern, item)| {
            let is_method =
                |name: &&String| matches!(name.as_str(), "get" | "post" | "put" | "patch" | "delete");
            let methods = item.as_object().into_iter().flat_map(|item| item.keys());
            Entry {
                pattern: pattern.clone(),
                methods: methods.filter(is_method).map(|name| name.to_ascii_uppercase()).collect(),
            }
        });
        Self(entries.collect())
    }

    fn find(&self, path: &str) -> Option<&Entry> {
        let fitting = self.0.iter().filter(|entry| fits(&entry.pattern, path));
        // Where two fit, the one with fewer parameters is meant.
        fitting.min_by_key(|entry| entry.pattern.matches('{').count())
    }

    /// What lies at the top: `/api/v1/orders` for all that is under it.
    pub(crate) fn roots(&self) -> Vec<String> {
        let root = |entry: &Entry| {
            let depth = if entry.pattern.starts_with("/api/") { 3 } else { 1 };
            let names = entry.pattern.split('/').skip(1).take(depth);
            names.take_while(|name| !name.starts_with('{')).map(|name| format!("/{name}")).collect()
        };
        let roots: BTreeSet<String> = self.0.iter().map(root).collect();
        roots.into_iter().filter(|root| root.len() > 1).collect()
    }

    /// The pattern of a path.
    pub(crate) fn pattern(&self, path: &str) -> Option<&str> {
        self.find(path).map(|entry| entry.pattern.as_str())
    }

    /// The `Allow` header of a path.
    pub(crate) fn allow(&self, path: &str) -> Option<String> {
        let entry = self.find(path)?;
        let mut methods: Vec<&str> = entry.methods.iter().map(String::as_str).collect();
        if entry.methods.contains("GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        Some(methods.join(", "))
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(want), Some(got)) if want == got || (want.starts_with('{') && !got.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_knows_its_methods() {
        let table = Table::of(&json!({"paths": {
            "/a/{id}": {"get": {}, "delete": {}, "parameters": []},
            "/a/export": {"post": {}},
        }}));
        assert_eq!(table.allow("/a/7").as_deref(), Some("DELETE, GET, HEAD, OPTIONS"));
        assert_eq!(table.allow("/a/export").as_deref(), Some("POST, OPTIONS"));
        assert_eq!(table.pattern("/a/7"), Some("/a/{id}"));
        assert_eq!(table.allow("/a/"), None);
        assert_eq!(table.allow("/a/7/x"), None);
    }

    #[test]
    fn what_lies_together_has_one_root() {
        let table = Table::of(&json!({"paths": {
            "/api/v1/orders": {}, "/api/v1/orders/{id}/cancel": {}, "/api/v1/{x}": {}, "/docs/{file}": {}, "/{all}": {},
        }}));
        assert_eq!(table.roots(), ["/api/v1", "/api/v1/orders", "/docs"]);
    }
}
