//! argon2id, off the threads that answer requests, and never more of it at once than the machine can bear.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::phc::Output};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bus::{Bulkhead, BusError, Context, Permit};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use users_ports::Secret;
use zeroize::Zeroizing;

/// How many wait for their turn; more are told to come back. Keeps a flood of logins from filling the port's
/// own queue, where everybody else's requests wait too.
const QUEUE: usize = 64;

/// Hashes passwords and checks them.
pub(crate) struct Passwords {
    turns: Arc<Bulkhead>,
    argon2: Argon2<'static>,
    /// What the password of an unknown account is checked against, so that it takes as long.
    nobodys: Arc<str>,
    checked: AtomicU64,
    memory: Arc<Memory>,
}

/// What hashes were made in, kept for the next: one for each that may run at once. Given back to the allocator each time,
/// glibc's would hardly find it again (aligned, in the arena of whatever thread it was), and grow with every login.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Block>) -> T) -> T {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut blocks = kept().pop().unwrap_or_default();
        let done = work(&mut blocks);
        kept().push(blocks);
        done
    }
}

fn derive(
    argon2: &Argon2<'_>,
    secret: &[u8],
    salt: &[u8],
    out: &mut [u8],
    blocks: &mut Vec<Block>,
) -> Result<(), argon2::Error> {
    blocks.resize(blocks.len().max(argon2.params().block_count()), Block::new());
    argon2.hash_password_into_with_memory(secret, salt, out, blocks.as_mut_slice())
}

/// A hash in the PHC string format.
fn phc(params: &Params, salt: &[u8], hash: &[u8]) -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    let (m, t, p) = (params.m_cost(), params.t_cost(), params.p_cost());
    format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}")
}

/// Whether a password is that of a PHC string; compared in constant time.
fn fits(password: &[u8], hash: &str, blocks: &mut Vec<Block>) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let (salt, wanted) = (hash.salt.as_ref()?, hash.hash.as_ref()?);
    let algorithm: Algorithm = hash.algorithm.as_str().parse().ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    let mut out = Zeroizing::new(vec![0; wanted.as_ref().len()]);
    derive(&argon2, password, salt.as_ref(), &mut out, blocks).ok()?;
    Some(Output::new(&out).ok()? == *wanted)
}

/// A turn at hashing. Given back when dropped, also by whoever stops waiting.
pub(crate) struct Turn<'a> {
    passwords: &'a Passwords,
    permit: Permit,
}

impl Passwords {
    pub(crate) fn new(memory_kib: u32, passes: u32, concurrency: usize) -> Result<Self, argon2::Error> {
        let params = Params::new(memory_kib, passes, 1, Some(32))?;
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let concurrency = if concurrency == 0 { cores() } else { concurrency };
        // A hash of nothing: random bytes in the form of one. No password fits, and checking costs the same.
        let nobodys = phc(&params, &rand::random::<[u8; 16]>(), &rand::random::<[u8; 32]>()).into();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let (turns, memory) = (Bulkhead::new(concurrency, QUEUE), Arc::default());
        Ok(Self { turns, argon2, nobodys, checked: AtomicU64::new(0), memory })
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, BusError> {
        let overloaded = || BusError::Overloaded { port: crate::NAME.into(), retry_after_ms: 1000 };
        let permit = self.turns.enter().await.ok_or_else(overloaded)?;
        if Context::current().remaining().is_some_and(|left| left.is_zero()) {
            return Err(BusError::DeadlineExceeded { name: "users.password".into() });
        }
        Ok(Turn { passwords: self, permit })
    }

    /// How many passwords were checked, of known and of unknown accounts.
    pub(crate) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Whether a hash was made with less than what is asked for now.
    pub(crate) fn is_dated(&self, hash: &str) -> bool {
        let Ok(hash) = PasswordHash::new(hash) else { return true };
        let Ok(params) = Params::try_from(&hash) else { return true };
        let wanted = self.argon2.params();
        hash.algorithm.as_str() != "argon2id"
            || params.m_cost() < wanted.m_cost()
            || params.t_cost() < wanted.t_cost()
    }
}

impl Turn<'_> {
    /// Whether the password is the account's; `None` for an account that there is not, which takes as long.
    pub(crate) async fn check(self, password: &Secret, hash: Option<&str>) -> Result<(bool, Self), BusError> {
        self.passwords.checked.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("users_password_checks_total").increment(1);
        let known = hash.is_some();
        let hash: Arc<str> = hash.map_or_else(|| Arc::clone(&self.passwords.nobodys), Arc::from);
        let password = password.clone();
        let (fits, turn) = self
            .work(move |_, blocks| fits(password.expose().as_bytes(), &hash, blocks).unwrap_or(false))
            .await?;
        Ok((fits && known, turn))
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(self, password: &Secret) -> Result<(String, Self), BusError> {
        let password = password.clone();
        let (hash, turn) = self
            .work(move |argon2, blocks| {
                let salt: [u8; 16] = rand::random();
                let mut out = [0; 32];
                derive(argon2, password.expose().as_bytes(), &salt, &mut out, blocks)?;
                Ok::<_, argon2::Error>(phc(argon2.params(), &salt, &out))
            })
            .await?;
        Ok((hash.map_err(|error| BusError::failed(&error))?, turn))
    }

    /// 64 bytes that whoever knows `secret` can make again, at the price of a password hash.
    pub(crate) async fn stretch(
        self,
        secret: Zeroizing<Vec<u8>>,
        salt: [u8; 16],
    ) -> Result<(Zeroizing<[u8; 64]>, Self), BusError> {
        let (stretched, turn) = self
            .work(move |argon2, blocks| {
                let params = argon2.params();
                let params = Params::new(params.m_cost(), params.t_cost(), params.p_cost(), Some(64))?;
                let mut out = Zeroizing::new([0; 64]);
                derive(&Argon2::from(params), &secret, &salt, out.as_mut(), blocks)?;
                Ok::<_, argon2::Error>(out)
            })
            .await?;
        Ok((stretched.map_err(|error| BusError::failed(&error))?, turn))
    }

    /// Works on a thread for blocking work. The permit goes along: who stops waiting does not make room.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&Argon2<'static>, &mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<(T, Self), BusError> {
        let Self { passwords, permit } = self;
        let (argon2, memory) = (passwords.argon2.clone(), Arc::clone(&passwords.memory));
        let work = move || (memory.with(|blocks| work(&argon2, blocks)), permit);
        let (done, permit) =
            tokio::task::spawn_blocking(work).await.map_err(|error| BusError::failed(&error))?;
        Ok((done, Turn { passwords, permit }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(19_456, 2, 2).expect("parameters")
    }

    async fn hash(passwords: &Passwords, text: &str) -> String {
        passwords.turn().await.expect("a turn").hash(&Secret::new(text)).await.expect("hashed").0
    }

    async fn fits(passwords: &Passwords, text: &str, hash: Option<&str>) -> bool {
        passwords.turn().await.expect("a turn").check(&Secret::new(text), hash).await.expect("checked").0
    }

    /// Section 5.12: argon2id with OWASP's parameters, a salt of 16 bytes that is never the same, 32 bytes out.
    #[tokio::test]
    async fn a_hash_is_argon2id_with_its_own_salt() {
        let passwords = passwords();
        let (a, b) =
            (hash(&passwords, "the same password").await, hash(&passwords, "the same password").await);
        assert!(a.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{a}");
        let parsed = PasswordHash::new(&a).expect("a PHC string");
        assert_eq!(parsed.salt.expect("salted").as_ref().len(), 16);
        assert_eq!(parsed.hash.expect("hashed").as_bytes().len(), 32);
        assert_ne!(a.split('$').nth(4), b.split('$').nth(4), "salts differ");
    }

    /// Section 5.2, 6.2.8: every byte counts, also those after the 72nd, NUL and what is not ASCII.
    #[tokio::test]
    async fn nothing_of_a_password_is_cut_off() {
        let passwords = passwords();
        let long = "P".repeat(72);
        let whole = hash(&passwords, &format!("{long}X\u{0}\u{1f600}")).await;
        assert!(fits(&passwords, &format!("{long}X\u{0}\u{1f600}"), Some(&whole)).await);
        for other in [format!("{long}Y\u{0}\u{1f600}"), format!("{long}X"), format!("{long}x\u{0}\u{1f600}")]
        {
            assert!(!fits(&passwords, &other, Some(&whole)).await);
        }
    }

    /// 6.3.8: an unknown account costs a check with the same parameters, which nothing passes.
    #[tokio::test]
    async fn an_unknown_account_costs_a_check() {
        let passwords = passwords();
        let nobodys = Arc::clone(&passwords.nobodys);
        let params =
            |hash: &str| Params::try_from(&PasswordHash::new(hash).expect("a PHC string")).expect("read");
        assert_eq!(params(&nobodys), params(&hash(&passwords, "any password").await));
        assert!(!fits(&passwords, "any password", None).await);
        assert_eq!(passwords.checked(), 1);
    }

    #[tokio::test]
    async fn a_hash_with_less_effort_is_dated() {
        let passwords = passwords();
        let hash = hash(&passwords, "any password").await;
        assert!(!passwords.is_dated(&hash));
        let harder = Passwords::new(19_456, 3, 1).expect("parameters");
        assert!(harder.is_dated(&hash));
        assert!(passwords.is_dated("no hash"));
    }

    /// However many are hashed, no more memory is used than those take that run at once; and a hash made in used
    /// memory is the same as one made in fresh memory.
    #[tokio::test(flavor = "multi_thread")]
    async fn memory_is_used_again() {
        use argon2::PasswordVerifier as _;
        let passwords = Arc::new(passwords());
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let passwords = Arc::clone(&passwords);
                bus::spawn(async move { hash(&passwords, &format!("password {n}")).await })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            let (made, password) = (task.await.expect("hashed"), format!("password {n}"));
            let parsed = PasswordHash::new(&made).expect("a PHC string");
            assert!(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(), "{made}");
            assert!(fits(&passwords, &password, Some(&made)).await);
            assert!(!fits(&passwords, "another", Some(&made)).await);
        }
        let kept = passwords.memory.0.lock().expect("not poisoned").iter().map(Vec::len).collect::<Vec<_>>();
        assert!((1..=2).contains(&kept.len()) && kept.iter().all(|blocks| *blocks == 19_456), "{kept:?}");
    }

    /// O-LOGIN: what does not fit into the queue is refused at once.
    #[tokio::test]
    async fn a_flood_is_refused() {
        use futures::FutureExt as _;
        let passwords = Passwords::new(19_456, 2, 1).expect("parameters");
        let held = passwords.turn().await.expect("a turn");
        let mut waiting: Vec<_> = (0..QUEUE).map(|_| Box::pin(passwords.turn())).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert!(matches!(passwords.turn().await, Err(BusError::Overloaded { .. })));
        drop(held);
        assert!(waiting.remove(0).await.is_ok());
    }

    /// A stretched secret is the same for the same secret and salt only.
    #[tokio::test]
    async fn a_stretched_secret_can_be_made_again() {
        let passwords = passwords();
        let mut made = Vec::new();
        for (secret, salt) in [("a", 1), ("a", 1), ("a", 2), ("b", 1)] {
            let secret = Zeroizing::new(secret.as_bytes().to_vec());
            let turn = passwords.turn().await.expect("a turn");
            made.push(turn.stretch(secret, [salt; 16]).await.expect("stretched").0);
        }
        assert_eq!(made[0], made[1]);
        assert!(made[0] != made[2] && made[0] != made[3]);
    }
}
