//! Calls to other processes under failures: tried again, refused, given up, answered by a fallback.

#[cfg(test)]
mod amplification;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod fallback;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod world;
