//! What a search compares: the words of titles and SKUs, in lower case.

use inventory_ports::{InvalidField, InventoryError};
use kernel::Sku;
use std::collections::BTreeSet;

/// Words are compared by their beginning, so their ends may be cut off.
const LONGEST: usize = 64;
/// How many words a search may have.
const MOST: usize = 8;

/// The words that a product is found by: each as it is written, and the parts of those that have hyphens,
/// dots and the like inside.
pub(crate) fn of_product<'a>(title: &str, skus: impl IntoIterator<Item = &'a Sku>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |text: &str| {
        for word in split(text) {
            found.extend(word.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(cut));
            found.insert(cut(&word));
        }
    };
    add(title);
    skus.into_iter().for_each(|sku| add(sku.as_str()));
    found
}

/// The words of a search: `None` where it asks for nothing, none at all where it asks for what no word can be.
pub(crate) fn of_query(q: Option<&str>) -> Result<Option<Vec<String>>, InventoryError> {
    let Some(q) = q.filter(|q| !q.trim().is_empty()) else { return Ok(None) };
    let words: BTreeSet<String> = split(q).map(|word| cut(&word)).collect();
    if words.len() > MOST || q.len() > 1000 {
        let detail = format!("at most {MOST} words");
        let error = InvalidField { pointer: "/q".into(), code: "invalid_value".into(), detail };
        return Err(InventoryError::Invalid { errors: vec![error] });
    }
    Ok(Some(words.into_iter().collect()))
}

/// The end of the range of texts that begin with `prefix`, by their bytes.
pub(crate) fn after_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
}

fn cut(word: &str) -> String {
    word.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_found_by_its_words_and_their_parts() {
        let sku: Sku = "TS-Red.42".parse().expect("a SKU");
        let words = of_product("The \"T-Shirt\", \u{c4}rmel!", [&sku]);
        let expected =
            ["42", "red", "shirt", "t", "t-shirt", "the", "ts", "ts-red.42", "\u{e4}rmel"].map(String::from);
        assert_eq!(words.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_search_without_words_is_not_a_search_for_everything() {
        assert_eq!(of_query(None), Ok(None));
        assert_eq!(of_query(Some("  ")), Ok(None));
        assert_eq!(of_query(Some("%_")), Ok(Some(vec![])));
        assert_eq!(of_query(Some("Red\u{0}Shirt")), Ok(Some(vec!["red".into(), "shirt".into()])));
        assert!(of_query(Some("a b c d e f g h i")).is_err());
    }

    #[test]
    fn a_prefix_range_holds_what_begins_with_it() {
        let (from, to) = ("shirt".to_owned(), after_prefix("shirt"));
        let within = |word: &str| word >= from.as_str() && word < to.as_str();
        assert!(within("shirt") && within("shirts") && within("shirt\u{fffd}"));
        assert!(!within("shir") && !within("shirr") && !within("shis"));
    }
}
