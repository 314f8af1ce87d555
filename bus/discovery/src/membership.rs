//! Who is a member: alive, suspect, dead. Pure: only answers and the time that goes with them decide.
//!
//! Silence decides nothing. A resolver or registry that does not answer says nothing about the instances, so a set
//! that worked stays as it was; an instance that is missing from an answer is suspect, and dead when an answer that
//! comes a stored time later still misses it.

use crate::{Instance, Member, Members, State};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// What is known of a target's instances.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Membership {
    known: bool,
    members: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    instance: Instance,
    missing_since: Option<Instant>,
}

impl Membership {
    /// What is known after an answer. Of two instances with one address the later in the answer is the one that is
    /// there now. `dead_after` is how long an instance is missed before it is given up.
    pub(crate) fn after(mut self, answer: Vec<Instance>, now: Instant, dead_after: Duration) -> Self {
        let mut listed: BTreeMap<String, Instance> = BTreeMap::new();
        for instance in answer {
            listed.retain(|_, earlier| earlier.address != instance.address);
            listed.insert(instance.id.clone(), instance);
        }
        self.known = true;
        self.members.retain(|id, entry| {
            if listed.contains_key(id) {
                return true;
            }
            let since = *entry.missing_since.get_or_insert(now);
            // Whoever said goodbye is not missed, and an address belongs to whoever is there now.
            let replaced = listed.values().any(|other| other.address == entry.instance.address);
            !entry.instance.leaving && !replaced && now.duration_since(since) < dead_after
        });
        for (id, instance) in listed {
            self.members.insert(id, Entry { instance, missing_since: None });
        }
        self
    }

    /// The members and how they stand.
    pub(crate) fn members(&self) -> Members {
        let member = |entry: &Entry| Member {
            instance: entry.instance.clone(),
            state: match entry.missing_since {
                Some(_) => State::Suspect,
                None if entry.instance.leaving => State::Leaving,
                None => State::Alive,
            },
        };
        Members { known: self.known, list: self.members.values().map(member).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEAD_AFTER: Duration = Duration::from_secs(30);

    /// Ids are letters, their addresses the letter; a capital is an instance that is leaving.
    fn listing(ids: &str) -> Vec<Instance> {
        let instance = |id: char| Instance {
            leaving: id.is_uppercase(),
            ..Instance::new(id.to_lowercase().to_string(), format!("http://{id}").to_lowercase())
        };
        ids.chars().map(instance).collect()
    }

    fn standing(membership: &Membership) -> String {
        let letter = |member: &Member| match member.state {
            State::Alive => member.instance.id.clone(),
            State::Leaving => member.instance.id.to_uppercase(),
            State::Suspect => format!("{}?", member.instance.id),
        };
        membership.members().list.iter().map(letter).collect()
    }

    /// C16: each row is what is answered at which second, and who is a member then.
    #[test]
    fn a_missed_instance_is_suspect_before_it_is_dead() {
        let table: &[&[(u64, &str, &str)]] = &[
            &[(0, "ab", "ab"), (5, "a", "ab?"), (34, "a", "ab?"), (35, "a", "a")],
            // Back in time: alive at once, and the time of a new absence begins anew.
            &[(0, "ab", "ab"), (5, "a", "ab?"), (20, "ab", "ab"), (40, "a", "ab?"), (69, "a", "ab?")],
            // Nobody answers for an hour: whoever is missing then is missing from then on.
            &[(0, "ab", "ab"), (3600, "a", "ab?"), (3629, "a", "ab?"), (3630, "a", "a")],
            // An empty answer is an answer, and believed after the same time.
            &[(0, "ab", "ab"), (1, "", "a?b?"), (30, "", "a?b?"), (31, "", "")],
            // Whoever takes leave is gone when it is gone.
            &[(0, "ab", "ab"), (1, "aB", "aB"), (2, "a", "a")],
            // Flapping: now this one, now that one. All of them stay members.
            &[(0, "ab", "ab"), (1, "a", "ab?"), (2, "b", "a?b"), (3, "a", "ab?"), (4, "ab", "ab")],
        ];
        for history in table {
            let start = Instant::now();
            let mut membership = Membership::default();
            for (second, answer, expected) in *history {
                let now = start + Duration::from_secs(*second);
                membership = membership.after(listing(answer), now, DEAD_AFTER);
                assert_eq!(&standing(&membership), expected, "at second {second} of {history:?}");
            }
        }
    }

    /// C16: what a dead process has left in the registry does not stand beside its successor.
    #[test]
    fn an_address_belongs_to_whoever_was_there_last() {
        let (old, new) = (Instance::new("old", "http://here"), Instance::new("new", "http://here"));
        let now = Instant::now();
        let both = Membership::default().after(vec![old.clone(), new.clone()], now, DEAD_AFTER);
        let one_after_the_other =
            Membership::default().after(vec![old], now, DEAD_AFTER).after(vec![new], now, DEAD_AFTER);
        for membership in [both, one_after_the_other] {
            let members = membership.members().list;
            assert_eq!(members.len(), 1);
            assert_eq!((members[0].instance.id.as_str(), members[0].state), ("new", State::Alive));
        }
    }

    proptest! {
        /// Whatever is answered and when: whoever is in the last answer is a member and not suspect, whoever is a
        /// member and not in it was in an answer less than `DEAD_AFTER` before it was first missed.
        #[test]
        fn members_are_those_answered_and_those_missed_for_a_short_time(
            history in proptest::collection::vec((0u64..40, "[abcdEF]{0,5}"), 1..30),
        ) {
            let start = Instant::now();
            let (mut membership, mut second) = (Membership::default(), 0);
            let mut missed_since: BTreeMap<char, u64> = BTreeMap::new();
            for (pause, answer) in history {
                second += pause;
                membership = membership.after(listing(&answer), start + Duration::from_secs(second), DEAD_AFTER);
                let answered = answer.to_lowercase();
                for id in "abcdef".chars() {
                    if answered.contains(id) {
                        missed_since.remove(&id);
                    } else {
                        missed_since.entry(id).or_insert(second);
                    }
                }
                for member in membership.members().list {
                    let id = member.instance.id.chars().next().expect("a letter");
                    prop_assert_eq!(member.state == State::Suspect, !answered.contains(id));
                    let missed = missed_since.get(&id).map_or(0, |since| second - since);
                    prop_assert!(missed < DEAD_AFTER.as_secs(), "{} was missed for {}", id, missed);
                }
                let members = membership.members().list;
                let listed = |id: char| members.iter().any(|member| member.instance.id.starts_with(id));
                prop_assert!(answered.chars().all(listed));
            }
        }
    }
}
