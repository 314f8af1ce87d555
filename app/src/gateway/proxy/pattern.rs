//! Which paths a route is for, and what they become: `/blog/{*rest}` and `/v2/{rest}`.

use matchit::Params;

/// A path with parameters: `{name}` is one name, `{*name}` at the end all that follows, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    /// What stands before `{*name}`.
    before_rest: Option<String>,
    names: Vec<String>,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("must begin with /")?;
        let (mut names, mut before_rest) = (Vec::new(), None);
        let parts: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        for (i, part) in parts.iter().enumerate() {
            let last = i + 1 == parts.len();
            if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                let name = match name.strip_prefix('*') {
                    Some(_) if !last => return Err("may have {*name} at its end only"),
                    Some(name) => {
                        before_rest = Some(format!("/{}", parts[..i].join("/")));
                        name
                    }
                    None => name,
                };
                let sound = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !sound || names.iter().any(|known| known == name) {
                    return Err("must name each parameter once, by letters, digits and _");
                }
                names.push(name.to_owned());
            } else if !(is_literal(part) || last && part.is_empty()) {
                return Err(
                    "may have names of letters, digits and -._~ only, and {name} or {*name} for a whole one",
                );
            }
        }
        Ok(Self { text: text.to_owned(), before_rest, names })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The paths without anything at the place of `{*name}`: `/blog` and `/blog/`.
    pub(crate) fn without_rest(&self) -> impl Iterator<Item = String> {
        let (bare, slash) = match self.before_rest.as_deref() {
            None => (None, None),
            Some("/") => (None, Some("/".to_owned())),
            Some(before) => (Some(before.to_owned()), Some(format!("{before}/"))),
        };
        bare.into_iter().chain(slash)
    }

    /// Whether everything that it fits lies at or under this path.
    pub(crate) fn lies_under(&self, path: &str) -> bool {
        self.text.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A name without a second spelling.
fn is_literal(part: &str) -> bool {
    !matches!(part, "" | "." | "..")
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// What a path becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewrite(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Parameter(String),
}

impl Rewrite {
    /// Of paths of this pattern.
    pub(crate) fn parse(text: &str, pattern: &Pattern) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err("must begin with /".into());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a { without its }")?;
            let name = name.strip_prefix('*').unwrap_or(name);
            if !pattern.names.iter().any(|known| known == name) {
                return Err(format!("names {{{name}}}, which the path has not"));
            }
            let is_rest =
                pattern.before_rest.is_some() && pattern.names.last().is_some_and(|rest| rest == name);
            if is_rest && !after.is_empty() {
                // It may be empty or end in a slash.
                return Err(format!("may have {{{name}}} at its end only"));
            }
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Parameter(name.to_owned()));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        // With something for each parameter it has to be a path.
        let sample = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Parameter(_) => "x".to_owned(),
        };
        let sample: String = pieces.iter().map(sample).collect();
        match super::path::canonical(&sample) {
            Some(path) if path == sample => Ok(Self(pieces)),
            _ => Err("must be a path in its plain spelling".into()),
        }
    }

    pub(crate) fn apply(&self, parameters: &Params<'_, '_>) -> String {
        let value = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Parameter(name) => parameters.get(name).unwrap_or_default().to_owned(),
        };
        self.0.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_says_what_is_wrong_with_it() {
        for good in ["/", "/a", "/a/", "/a/{id}", "/a/{id}/b", "/{*rest}", "/a.b~c/{x_1}/{*rest}"] {
            assert!(Pattern::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "//",
            "/a//b",
            "/a/../b",
            "/a/{*rest}/b",
            "/{}",
            "/{*}",
            "/{a}/{a}",
            "/a%20b",
            "/a;b",
            "/a{b}",
            "/{a}b",
            "/{a-b}",
            "/a b",
            "/caf\u{e9}",
            "/{{a}}",
            "/*",
        ] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_rewritten_by_its_parameters() {
        let rewritten = |pattern: &str, rewrite: &str, path: &str| {
            let pattern = Pattern::parse(pattern).expect("a pattern");
            let rewrite = Rewrite::parse(rewrite, &pattern)?;
            let mut router = matchit::Router::new();
            for text in pattern.without_rest().chain([pattern.text().to_owned()]) {
                router.insert(text, ()).expect("fits");
            }
            let found = router.at(path).expect("found");
            Ok::<_, String>(rewrite.apply(&found.params))
        };
        assert_eq!(rewritten("/blog/{*rest}", "/v2/{rest}", "/blog/a/b").as_deref(), Ok("/v2/a/b"));
        assert_eq!(rewritten("/blog/{*rest}", "/v2/{*rest}", "/blog").as_deref(), Ok("/v2/"));
        assert_eq!(rewritten("/{*rest}", "/v2/{rest}", "/").as_deref(), Ok("/v2/"));
        assert_eq!(
            rewritten("/u/{id}/pic", "/pictures/{id}.png", "/u/7/pic").as_deref(),
            Ok("/pictures/7.png")
        );
        assert_eq!(rewritten("/a/{x}/{y}", "/{y}/{x}", "/a/1/2").as_deref(), Ok("/2/1"));
        for bad in [
            "v2",
            "/v2/{other}",
            "/v2/{rest",
            "/a/../{rest}",
            "/a//{rest}",
            "/a?b={rest}",
            "/a;{rest}",
            "/{rest}/a",
        ] {
            assert!(rewritten("/blog/{*rest}", bad, "/blog/a").is_err(), "{bad}");
        }
    }
}
