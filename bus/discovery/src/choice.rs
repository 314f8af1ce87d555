//! Which instance takes a call. Pure: functions of how the instances stand, the key and a random number.

use crate::State;

/// How an instance is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other, by weight (the smooth weighted round robin of nginx).
    RoundRobin,
    /// Of two at random the one that has less to do: nearly as even as looking at all of them, and callers that know
    /// nothing of each other do not all go to the same one (Mitzenmacher, "The power of two choices", 2001).
    #[default]
    LeastInFlight,
    /// By the call's key, the same from every caller: rendezvous hashing, so that an instance that comes or goes moves
    /// only the keys that become or were its own. One that has a quarter more to do than its share passes calls on to
    /// the key's next one (Mirrokni and others, "Consistent hashing with bounded loads", 2016). A call without a key
    /// goes as with [`Strategy::LeastInFlight`].
    ByKey,
}

/// An instance as the choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) state: State,
    pub(crate) weight: u32,
    pub(crate) priority: u16,
    pub(crate) in_flight: usize,
    /// What the instance's id hashes to.
    pub(crate) hash: u64,
}

impl Candidate {
    fn is_alive(&self) -> bool {
        self.state == State::Alive
    }

    /// SRV records give a weight of zero to what should get next to nothing (RFC 2782).
    fn share(&self) -> u64 {
        u64::from(self.weight.max(1))
    }
}

/// Those of the candidates that are chosen from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Eligible {
    pub(crate) positions: Vec<usize>,
    /// Too few are alive, so that all are used: better some calls to a wrong address than all of them to the last one
    /// standing, and what looks dead may be a mistake of whoever looks (Envoy's panic threshold).
    pub(crate) panic: bool,
}

/// Who can be chosen: the alive ones of the best priority that has any, or all where fewer than `panic_below` per
/// cent are alive. Who is leaving counts only where nobody else is left.
pub(crate) fn eligible(candidates: &[Candidate], panic_below: u8) -> Eligible {
    let of = |wanted: &dyn Fn(&Candidate) -> bool| -> Vec<usize> {
        (0..candidates.len()).filter(|position| wanted(&candidates[*position])).collect()
    };
    let staying = of(&|it| it.state != State::Leaving);
    if staying.is_empty() {
        return Eligible { positions: of(&|_| true), panic: false };
    }
    let best = candidates.iter().filter(|it| it.is_alive()).map(|it| it.priority).min();
    let Some(best) = best else { return Eligible { positions: staying, panic: true } };
    let tier = of(&|it| it.state != State::Leaving && it.priority == best);
    let alive = of(&|it| it.is_alive() && it.priority == best);
    if alive.len() * 100 < tier.len() * usize::from(panic_below) {
        Eligible { positions: tier, panic: true }
    } else {
        Eligible { positions: alive, panic: false }
    }
}

/// Whose turn it is. `turns` remembers, one number a candidate, all zero at first.
pub(crate) fn round_robin(candidates: &[Candidate], from: &[usize], turns: &mut [i64]) -> Option<usize> {
    let share = |position: usize| i64::try_from(candidates[position].share()).unwrap_or(i64::MAX);
    let sum = from.iter().map(|position| share(*position)).sum::<i64>();
    for position in from {
        turns[*position] += share(*position);
    }
    // The first of equals, so that equal weights take turns in order.
    let next = from.iter().copied().rev().max_by_key(|position| turns[*position])?;
    turns[next] -= sum;
    Some(next)
}

/// Of two at random the one that has less to do for its weight. One that is suspect loses: failing at once, it
/// would have the least to do of all, and swallow every call.
pub(crate) fn least_in_flight(candidates: &[Candidate], from: &[usize], random: u64) -> Option<usize> {
    let (first, second) = two_of(from, random)?;
    let (one, other) = (&candidates[first], &candidates[second]);
    let load = |it: &Candidate, against: &Candidate| (it.in_flight as u128 + 1) * u128::from(against.share());
    let rank = |it, against| (!Candidate::is_alive(it), load(it, against));
    Some(if rank(other, one) < rank(one, other) { second } else { first })
}

fn two_of(from: &[usize], random: u64) -> Option<(usize, usize)> {
    let count = u64::try_from(from.len()).ok().filter(|count| *count > 0)?;
    let first = (random >> 32) % count;
    // One of the others, all equally likely.
    let second = if count == 1 { first } else { (first + 1 + (random & 0xffff_ffff) % (count - 1)) % count };
    let at = |index: u64| usize::try_from(index).ok().and_then(|index| from.get(index).copied());
    Some((at(first)?, at(second)?))
}

/// Whom the key belongs to, or who comes next where that one has too much to do.
pub(crate) fn by_key(candidates: &[Candidate], from: &[usize], key: u64) -> Option<usize> {
    let shares: u64 = from.iter().map(|position| candidates[*position].share()).sum();
    let calls: usize = from.iter().map(|position| candidates[*position].in_flight).sum();
    let score = |position: usize| {
        let it = &candidates[position];
        // Weighted rendezvous: -weight / ln(u), with u in 0..1 made of the hash's upper bits.
        let u = ((mix(key ^ it.hash) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -(it.share() as f64) / u.ln()
    };
    let has_room = |position: usize| {
        let it = &candidates[position];
        // in_flight + 1 <= 5/4 * (calls + 1) * share / shares, rounded up.
        let bound = (5 * (calls as u128 + 1) * u128::from(it.share())).div_ceil(4 * u128::from(shares));
        (it.in_flight as u128) < bound
    };
    from.iter().copied().filter(|position| has_room(*position)).max_by(|a, b| score(*a).total_cmp(&score(*b)))
}

/// What a text hashes to, in every process and release: FNV-1a, and the finalizer of MurmurHash3 to spread it.
pub(crate) fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
