//! Discovery against real servers, and balancing under everything that instances do.

#[cfg(test)]
mod balanced;
#[cfg(test)]
mod dns;
#[cfg(test)]
mod dnsmasq;
#[cfg(test)]
mod etcd;
#[cfg(test)]
mod etcd_server;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod world;
