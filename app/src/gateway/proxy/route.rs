//! A route as it is carried out, made of what is written in the settings.

use super::{
    Auth, Discovery, InvalidRoute, RouteSection,
    pattern::{Pattern, Rewrite},
    upstream::{Instance, Trust, Upstream},
};
use crate::gateway::{rate_limit::Limits, settings::RateLimit};
use actix_web::http::Method;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONCURRENCY: usize = 1000;
const UPGRADES: usize = 1000;
/// More attempts would only add to what an upstream suffers from.
const MOST_RETRIES: u32 = 5;
const USUAL_METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What is done with the requests of a path.
pub(crate) struct Route {
    /// As written: a reload keeps a route that is written as before, with all that it knows.
    pub(crate) section: RouteSection,
    pub(crate) pattern: Pattern,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) methods: Vec<Method>,
    pub(crate) auth: Auth,
    pub(crate) upstream: Upstream,
    pub(crate) limits: Option<Limits>,
    pub(crate) timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
    /// Bytes of a body; the server's own limit where none is written.
    pub(crate) max_body: Option<u64>,
    /// In small letters.
    pub(crate) upgrades: Vec<String>,
    /// Places for requests and for upgraded connections.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) most_in_flight: usize,
    pub(crate) upgrade_places: Arc<Semaphore>,
    pub(crate) most_upgrades: usize,
}

impl Route {
    /// Reads the `index`th route.
    pub(crate) fn new(
        index: usize,
        section: &RouteSection,
        discovery: Option<&dyn Discovery>,
    ) -> Result<Self, InvalidRoute> {
        let refuse = |key: &str, problem: &dyn std::fmt::Display| InvalidRoute::new(index, key, problem);
        let pattern = Pattern::parse(&section.path).map_err(|problem| refuse("path", &problem))?;
        let rewrite = section.rewrite.as_deref().map(|text| Rewrite::parse(text, &pattern)).transpose();
        let rewrite = rewrite.map_err(|problem| refuse("rewrite", &problem))?;
        let (concurrency, most_upgrades) =
            (section.concurrency.unwrap_or(CONCURRENCY), section.max_upgrades.unwrap_or(UPGRADES));
        let rate =
            section.rate_limit.map(|rate| RateLimit { requests: rate.requests, window: rate.window.0 });
        let within = |most: usize| (1..=Semaphore::MAX_PERMITS).contains(&most);
        for (key, sound) in [
            ("concurrency", within(concurrency)),
            ("max_upgrades", within(most_upgrades)),
            ("rate_limit", rate.is_none_or(RateLimit::is_sound)),
        ] {
            if !sound {
                return Err(refuse(key, &"must be more than zero"));
            }
        }
        let retries = section.retry.unwrap_or(1);
        if retries > MOST_RETRIES {
            return Err(refuse("retry", &format_args!("must be 0 to {MOST_RETRIES}")));
        }
        let timeout = section.timeout.map_or(TIMEOUT, |span| span.0);
        let trust = Trust::read(section.ca.as_deref()).map_err(|problem| refuse("ca", &problem))?;
        Ok(Self {
            upstream: upstream(index, section, trust, discovery)?,
            methods: methods(section.methods.as_deref()).map_err(|problem| refuse("methods", &problem))?,
            upgrades: upgrades(&section.upgrade).map_err(|problem| refuse("upgrade", &problem))?,
            section: section.clone(),
            pattern,
            rewrite,
            auth: section.auth,
            limits: rate.map(|rate| Limits::named("route", rate)),
            timeout,
            idle_timeout: section.idle_timeout.map_or(TIMEOUT, |span| span.0),
            connect_timeout: section.connect_timeout.map_or(CONNECT_TIMEOUT, |span| span.0),
            retries,
            max_body: section.max_body,
            places: Arc::new(Semaphore::new(concurrency)),
            most_in_flight: concurrency,
            upgrade_places: Arc::new(Semaphore::new(most_upgrades)),
            most_upgrades,
        })
    }

    /// Whether it takes this method; HEAD wherever it takes GET.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.methods.contains(method) || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }
}

fn upstream(
    index: usize,
    section: &RouteSection,
    trust: Trust,
    discovery: Option<&dyn Discovery>,
) -> Result<Upstream, InvalidRoute> {
    match (&section.upstream[..], section.discover.as_deref()) {
        ([], None) => Err(InvalidRoute::new(index, "upstream", &"or discover must be there")),
        ([_, ..], Some(_)) => Err(InvalidRoute::new(index, "discover", &"cannot be there with upstream")),
        (_, Some(name)) => {
            if name.split_once(':').is_none_or(|(way, target)| way.is_empty() || target.is_empty()) {
                return Err(InvalidRoute::new(index, "discover", &"must be like dns:host:port"));
            }
            // Without a discovery only the spelling is looked at.
            let Some(discovery) = discovery else { return Ok(Upstream::fixed(Vec::new())) };
            Upstream::discovered(name, trust, discovery)
                .map_err(|problem| InvalidRoute::new(index, "discover", &problem))
        }
        (urls, None) => {
            let instances = urls.iter().enumerate().map(|(i, url)| {
                Instance::parse(url, &trust)
                    .map_err(|problem| InvalidRoute::new(index, &format!("upstream[{i}]"), &problem))
            });
            Ok(Upstream::fixed(instances.collect::<Result<_, _>>()?))
        }
    }
}

fn methods(written: Option<&[String]>) -> Result<Vec<Method>, &'static str> {
    let Some(written) = written else {
        return Ok(USUAL_METHODS.iter().filter_map(|name| name.parse().ok()).collect());
    };
    if written.is_empty() {
        return Err("must name a method");
    }
    let method = |name: &String| match name.parse::<Method>() {
        // One would open a tunnel to anywhere, the other show the headers that are set here.
        Ok(Method::CONNECT | Method::TRACE) | Err(_) => Err("must be methods, and not CONNECT or TRACE"),
        Ok(method) if name.bytes().any(|byte| byte.is_ascii_lowercase()) || method.as_str().len() > 32 => {
            Err("must be spelled in capitals: methods are told apart by case")
        }
        Ok(method) => Ok(method),
    };
    written.iter().map(method).collect()
}

fn upgrades(written: &[String]) -> Result<Vec<String>, &'static str> {
    let protocol = |name: &String| {
        let name = name.to_ascii_lowercase();
        let sound =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-./_".contains(&b));
        // Another HTTP inside of the connection would be requests that nobody looks at.
        if !sound || name.starts_with("h2") || name.starts_with("http") || name.starts_with("tls") {
            return Err("must be protocols like websocket, and neither HTTP nor TLS");
        }
        Ok(name)
    };
    written.iter().map(protocol).collect()
}
