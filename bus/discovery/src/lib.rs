//! Where the instances of a module are, and which of them takes a call.
//!
//! A [`Discovery`] watches the instances of a target: a list that is written down ([`StaticList`]), names in the DNS
//! ([`Dns`]), a registry ([`Etcd`]). A [`Balancer`] keeps something for each of them and picks one at each call;
//! [`Balanced`] is a balancer of transports that is a transport itself. What decides is pure: who is a member
//! (`membership`), who is thought to be down (`health`), and who takes the call (`choice`).
#![warn(missing_docs)]

mod balanced;
mod balancer;
mod choice;
mod discovery;
mod dns;
mod etcd;
mod health;
mod instance;
mod membership;
mod polling;
mod static_list;

pub use balanced::Balanced;
pub use balancer::{Balance, Balancer, InstanceStatus, Picked};
pub use choice::Strategy;
pub use discovery::{Discovery, DiscoveryError, Watch, first_answer};
pub use dns::{Dns, DnsSettings};
pub use etcd::{Etcd, EtcdSettings, Registration, Standing};
pub use health::Ejection;
pub use instance::{Instance, Member, Members, State};
pub use static_list::StaticList;
