//! Keyset pages: a list is walked by where it stopped, never by how much was skipped.
//!
//! Walking while rows are added yields every earlier row exactly once; an offset cannot say that.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// One page of a list and the way to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub data: Vec<T>,
    /// Where the next page starts; `None` on the last.
    pub next_cursor: Option<Cursor>,
}

impl<T> Page<T> {
    /// Cuts a page out of `rows`, which were read with one row more than `limit` asks for.
    /// `key` names the place of a row in the list's order.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, limit: PageLimit, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit.rows();
        rows.truncate(limit.rows());
        let next_cursor = match rows.last() {
            Some(last) if more => Some(Cursor::at(&key(last))),
            _ => None,
        };
        Self { data: rows, next_cursor }
    }

    /// The same page of other rows.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { data: self.data.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PageRequest {
    /// How many rows at most.
    #[serde(default)]
    pub limit: PageLimit,
    /// Where the page before stopped.
    #[serde(default)]
    pub cursor: Option<Cursor>,
}

/// How many rows a page has at most: 1 to 100, 20 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "u16", extend("minimum" = 1, "maximum" = 100)))]
#[serde(try_from = "u16", into = "u16")]
pub struct PageLimit(u16);

/// A page size outside 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page has 1 to 100 rows")]
pub struct InvalidLimit;

impl PageLimit {
    /// As many rows as a page may have.
    pub const MAX: Self = Self(100);

    /// The number of rows.
    #[must_use]
    pub fn rows(self) -> usize {
        usize::from(self.0)
    }

    /// One row more, which tells whether there is a next page.
    #[must_use]
    pub fn probe(self) -> u64 {
        u64::from(self.0) + 1
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

impl TryFrom<u16> for PageLimit {
    type Error = InvalidLimit;

    fn try_from(rows: u16) -> Result<Self, InvalidLimit> {
        if (1..=100).contains(&rows) { Ok(Self(rows)) } else { Err(InvalidLimit) }
    }
}

impl From<PageLimit> for u16 {
    fn from(limit: PageLimit) -> Self {
        limit.0
    }
}

/// An opaque place in a list. What is inside is the list's own business and may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Cursor(String);

/// A cursor that this list did not hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one that this list handed out")]
pub struct InvalidCursor;

impl Cursor {
    /// The place of a row with this key.
    pub fn at<K: Serialize>(key: &K) -> Self {
        // Keys are ids, integers and strings: they always have a JSON form.
        Self(URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default()))
    }

    /// A cursor as it came from a client; checked when the list reads it.
    #[must_use]
    pub fn from_client(text: String) -> Self {
        Self(text)
    }

    /// The key of the row before this place.
    ///
    /// # Errors
    /// [`InvalidCursor`] where the text is of another list or of nobody's making.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| InvalidCursor)?;
        serde_json::from_slice(&bytes).map_err(|_| InvalidCursor)
    }

    /// The text that a client sees.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_next_cursor_only_where_a_row_is_left() {
        let limit = PageLimit::try_from(2).expect("in range");
        let full = Page::cut(vec![1, 2, 3], limit, |row| *row);
        assert_eq!(full.data, [1, 2]);
        assert_eq!(full.next_cursor.expect("a third row is left").key::<i32>(), Ok(2));
        assert_eq!(Page::cut(vec![1, 2], limit, |row| *row).next_cursor, None);
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        assert_eq!(Cursor::from_client("%%%".into()).key::<i64>(), Err(InvalidCursor));
        assert_eq!(Cursor::at(&"text").key::<i64>(), Err(InvalidCursor));
    }

    #[test]
    fn page_sizes_outside_1_to_100_are_refused() {
        assert!(PageLimit::try_from(0).is_err() && PageLimit::try_from(101).is_err());
    }
}
