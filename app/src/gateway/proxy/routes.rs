//! Which route a request takes. Built as a whole and swapped as a whole; ours always come first.

use super::{Discovery, InvalidRoute, RouteSection, path, route::Route};
use actix_web::http::Method;
use matchit::Router;
use std::{collections::BTreeMap, sync::Arc};

/// What is ours in every process, with all that lies under it.
pub(crate) const OURS: [&str; 8] = [
    "/api/v1/admin",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/.well-known",
    "/sandbox",
];

/// The routes in force.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) all: Vec<Arc<Route>>,
    router: Router<Entry>,
}

enum Entry {
    Ours,
    Theirs(Vec<Arc<Route>>),
}

/// Where a request goes.
pub(crate) enum Destination {
    /// To our own resources, if anywhere.
    Ours,
    /// To an upstream.
    Route(Taken),
    /// The path is there for these methods.
    OtherMethods(String),
    /// The path can be read in two ways.
    Unclear,
}

/// A route that was found, and what the path becomes.
#[derive(Clone)]
pub(crate) struct Taken {
    pub(crate) route: Arc<Route>,
    pub(crate) path: String,
}

impl Routes {
    /// Builds the routes; those that are written as before are taken over as they are.
    pub(crate) fn build(
        sections: &[RouteSection],
        ours: &[String],
        discovery: Option<&dyn Discovery>,
        before: &Self,
    ) -> Result<Self, InvalidRoute> {
        let mut all: Vec<Arc<Route>> = Vec::with_capacity(sections.len());
        for (index, section) in sections.iter().enumerate() {
            let kept = before.all.iter().find(|route| route.section == *section).cloned();
            let route = match kept {
                Some(route) => route,
                None => Arc::new(Route::new(index, section, discovery)?),
            };
            let ours = OURS.into_iter().chain(ours.iter().map(String::as_str));
            if let Some(path) = ours.into_iter().find(|path| route.pattern.lies_under(path)) {
                let problem = format!("would hide {path}, which is the shop's own");
                return Err(InvalidRoute::new(index, "path", &problem));
            }
            all.push(route);
        }
        let router = router(&all, ours)?;
        Ok(Self { all, router })
    }

    /// Where a request goes.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Destination {
        if self.all.is_empty() || path == "*" {
            return Destination::Ours;
        }
        let Some(canonical) = path::canonical(path) else {
            // Ours refuse in their own way what is plainly under them.
            let ours = self.router.at(path).is_ok_and(|found| matches!(found.value, Entry::Ours));
            return if ours { Destination::Ours } else { Destination::Unclear };
        };
        let Ok(found) = self.router.at(&canonical) else { return Destination::Ours };
        let Entry::Theirs(routes) = found.value else { return Destination::Ours };
        let Some(route) = routes.iter().find(|route| route.takes(method)) else {
            return Destination::OtherMethods(allow(routes));
        };
        let path = match &route.rewrite {
            Some(rewrite) => rewrite.apply(&found.params),
            None => canonical.into_owned(),
        };
        Destination::Route(Taken { route: Arc::clone(route), path })
    }
}

fn router(all: &[Arc<Route>], ours: &[String]) -> Result<Router<Entry>, InvalidRoute> {
    let mut router = Router::new();
    for path in OURS.into_iter().chain(ours.iter().map(String::as_str)) {
        for path in [path.to_owned(), format!("{path}/"), format!("{path}/{{*_}}")] {
            // One of ours may lie under another.
            drop(router.insert(path, Entry::Ours));
        }
    }
    let mut written: BTreeMap<&str, Vec<(usize, &Arc<Route>)>> = BTreeMap::new();
    for (index, route) in all.iter().enumerate() {
        let same = written.entry(route.pattern.text()).or_default();
        if same.iter().any(|(_, other)| other.methods.iter().any(|method| route.methods.contains(method))) {
            return Err(InvalidRoute::new(index, "path", &"is there before, for the same methods"));
        }
        same.push((index, route));
    }
    let entry = |routes: &[(usize, &Arc<Route>)]| {
        Entry::Theirs(routes.iter().map(|(_, route)| Arc::clone(route)).collect())
    };
    for (pattern, routes) in &written {
        let index = routes.first().map_or(0, |(index, _)| *index);
        router.insert(*pattern, entry(routes)).map_err(|error| InvalidRoute::new(index, "path", &error))?;
    }
    for routes in written.values() {
        let bare = routes.first().into_iter().flat_map(|(_, route)| route.pattern.without_rest());
        for path in bare {
            // A route for this very path goes before.
            drop(router.insert(path, entry(routes)));
        }
    }
    Ok(router)
}

/// The `Allow` header of a path.
fn allow(routes: &[Arc<Route>]) -> String {
    let mut names: Vec<&str> = routes.iter().flat_map(|route| &route.methods).map(Method::as_str).collect();
    if names.contains(&"GET") && !names.contains(&"HEAD") {
        names.push("HEAD");
    }
    if !names.contains(&"OPTIONS") {
        names.push("OPTIONS");
    }
    names.join(", ")
}
