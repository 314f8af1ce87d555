//! What can be set.

use serde::Deserialize;
use std::time::Duration;
use users_ports::Secret;

/// The module's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The `iss` of access tokens; verifiers must expect the same.
    pub issuer: String,
    /// The `aud` of access tokens; verifiers must expect the same.
    pub audience: String,
    /// How long an access token lives.
    #[serde(with = "kernel::duration")]
    pub access_token_ttl: Duration,
    /// How long a session lives, however often it is refreshed.
    #[serde(with = "kernel::duration")]
    pub session_lifetime: Duration,
    /// How long a key signs before the next one takes over.
    #[serde(with = "kernel::duration")]
    pub key_rotation: Duration,
    /// Wrong passwords a minute, of one account or of one client address, before the answer is "later".
    pub wrong_passwords_per_minute: usize,
    /// Registrations a minute of one client address.
    pub registrations_per_minute: usize,
    /// The memory of a password hash, in KiB. Raised, old hashes are renewed at the next login.
    pub hash_memory_kib: u32,
    /// The passes of a password hash.
    pub hash_passes: u32,
    /// How many passwords are hashed at once; 0 means as many as there are cores. Times the memory above, this
    /// is what a flood of logins can take.
    pub hash_concurrency: usize,
    /// Who runs the shop, on an empty database.
    pub admin: AdminSettings,
}

/// The first admin. Without a password one is made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// The address.
    pub email: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

impl Default for Settings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self {
            issuer: "cleave".into(),
            audience: "cleave".into(),
            access_token_ttl: minutes(15),
            session_lifetime: minutes(30 * 24 * 60),
            key_rotation: minutes(90 * 24 * 60),
            wrong_passwords_per_minute: 10,
            registrations_per_minute: 30,
            hash_memory_kib: 19_456,
            hash_passes: 2,
            hash_concurrency: 0,
            admin: AdminSettings::default(),
        }
    }
}

impl Settings {
    /// What is wrong with the settings, if anything.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.hash_memory_kib < 19_456 || self.hash_passes < 2 {
            // OWASP's minimum for argon2id with one lane.
            return Err("users.hash_memory_kib must be at least 19456, users.hash_passes at least 2");
        }
        if self.access_token_ttl > Duration::from_secs(24 * 3600) || self.access_token_ttl.subsec_nanos() != 0
        {
            return Err("users.access_token_ttl must be whole seconds, at most a day");
        }
        if self.issuer.is_empty() || self.audience.is_empty() {
            return Err("users.issuer and users.audience must not be empty");
        }
        if self.wrong_passwords_per_minute == 0 || self.registrations_per_minute == 0 {
            return Err(
                "users.wrong_passwords_per_minute and users.registrations_per_minute must not be zero",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check_and_weak_hashes_do_not() {
        assert_eq!(Settings::default().check(), Ok(()));
        for weak in [
            Settings { hash_memory_kib: 1024, ..Settings::default() },
            Settings { hash_passes: 1, ..Settings::default() },
            Settings { issuer: String::new(), ..Settings::default() },
            Settings { access_token_ttl: Duration::from_millis(1500), ..Settings::default() },
        ] {
            assert!(weak.check().is_err(), "{weak:?}");
        }
    }
}
