//! Upstreams that are found by name: `dns:host:port` and `srv:_http._tcp.name`.

use bus_discovery::{Discovery as _, Dns, DnsSettings, Watch};
use std::sync::OnceLock;
use tokio::runtime::Handle;

/// Finds the instances of services by name.
pub trait Discovery: Send + Sync + 'static {
    /// Where the service is, now and from now on.
    ///
    /// # Errors
    /// Why nothing can be found under this name, as the end of a sentence that begins with the setting's key.
    fn watch(&self, name: &str) -> Result<Watch, String>;
}

/// For a process that finds nothing by name.
#[derive(Debug, Clone, Copy)]
pub struct NoDiscovery;

impl Discovery for NoDiscovery {
    fn watch(&self, _name: &str) -> Result<Watch, String> {
        Err("cannot be used: this process finds nothing by name".into())
    }
}

/// Finds services in the DNS that this machine asks.
pub struct Names {
    runtime: Handle,
    dns: OnceLock<Result<Dns, String>>,
}

impl Names {
    /// Looks on this runtime, whoever asks: a worker's own ends before the routes do.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self { runtime, dns: OnceLock::new() }
    }
}

impl Discovery for Names {
    fn watch(&self, name: &str) -> Result<Watch, String> {
        let Some(("dns" | "srv", target)) = name.split_once(':') else {
            return Err("must be dns:host:port or srv:_service._tcp.name".into());
        };
        let _looking = self.runtime.enter();
        let dns =
            self.dns.get_or_init(|| Dns::new(DnsSettings::default()).map_err(|error| error.to_string()));
        dns.as_ref()
            .map_err(|why| format!("cannot be used: {why}"))?
            .watch(target)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_says_how_it_is_found() {
        let names = Names::on(Handle::current());
        for bad in ["blog", "etcd:blog", "dns", "dns:blog", "srv:blog", "srv:_http._udp.blog"] {
            assert!(names.watch(bad).is_err(), "{bad}");
        }
        for good in ["dns:blog.invalid:80", "srv:_http._tcp.blog.invalid"] {
            assert!(names.watch(good).is_ok(), "{good}");
        }
    }
}
