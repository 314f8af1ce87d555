//! The choice by tables, and by what holds for any instances.

use super::{Candidate, Eligible, by_key, eligible, hash, least_in_flight, mix, round_robin};
use crate::State;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn candidate(state: State, in_flight: usize) -> Candidate {
    Candidate { state, weight: 1, priority: 0, in_flight, hash: 0 }
}

/// Letters stand for instances: alive, suspect, leaving; a digit before one is its priority.
fn candidates(text: &str) -> Vec<Candidate> {
    let (mut priority, mut made) = (0, Vec::new());
    for letter in text.chars() {
        let state = match letter {
            'a' => State::Alive,
            's' => State::Suspect,
            'l' => State::Leaving,
            digit => {
                priority = digit.to_digit(10).and_then(|digit| u16::try_from(digit).ok()).expect("a digit");
                continue;
            }
        };
        made.push(Candidate { priority, ..candidate(state, 0) });
    }
    made
}

#[test]
fn all_are_used_where_too_few_are_alive() {
    let table: &[(&str, u8, &[usize], bool)] = &[
        ("aaa", 50, &[0, 1, 2], false),
        ("asa", 50, &[0, 2], false),
        ("as", 50, &[0], false),
        ("ass", 50, &[0, 1, 2], true),
        ("ass", 33, &[0], false),
        ("ass", 0, &[0], false),
        ("sss", 0, &[0, 1, 2], true),
        ("sas", 100, &[0, 1, 2], true),
        // Who is leaving is no reason to panic, and takes calls where nobody else is left.
        ("all", 50, &[0], false),
        ("sl", 50, &[0], true),
        ("ll", 50, &[0, 1], false),
        ("", 50, &[], false),
        // The best priority that has somebody alive, and only that.
        ("0aa1aa", 50, &[0, 1], false),
        ("0ss1aa", 50, &[2, 3], false),
        ("0sssa1aa", 50, &[0, 1, 2, 3], true),
        ("0sl1ss", 50, &[0, 2, 3], true),
    ];
    for (instances, panic_below, positions, panic) in table {
        let eligible = eligible(&candidates(instances), *panic_below);
        assert_eq!(eligible, Eligible { positions: positions.to_vec(), panic: *panic }, "{instances}");
    }
}

#[test]
fn turns_are_taken_by_weight_and_without_bursts() {
    let weighted = [5, 1, 1].map(|weight| Candidate { weight, ..candidate(State::Alive, 0) });
    let mut turns = [0; 3];
    let order: Vec<_> = (0..7).filter_map(|_| round_robin(&weighted, &[0, 1, 2], &mut turns)).collect();
    assert_eq!(order, [0, 0, 1, 0, 2, 0, 0], "as nginx has it");
    let equal = candidates("aaa");
    let mut turns = [0; 3];
    let order: Vec<_> = (0..6).filter_map(|_| round_robin(&equal, &[0, 1, 2], &mut turns)).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    assert_eq!(round_robin(&[], &[], &mut []), None);
}

#[test]
fn of_two_the_one_with_less_to_do_takes_the_call() {
    let busy = [candidate(State::Alive, 5), candidate(State::Alive, 4), candidate(State::Alive, 9)];
    for random in 0..1000_u64 {
        let random = mix(random);
        assert_eq!(least_in_flight(&busy, &[0, 1], random), Some(1));
        assert_ne!(least_in_flight(&busy, &[0, 1, 2], random), Some(2), "the worst of all never wins");
        assert_eq!(least_in_flight(&busy, &[2], random), Some(2));
    }
    assert_eq!(least_in_flight(&[], &[], 7), None);
    // A dead one fails at once and so never has much to do.
    let hole = [candidate(State::Suspect, 0), candidate(State::Alive, 50)];
    assert!((0..1000).all(|random| least_in_flight(&hole, &[0, 1], mix(random)) == Some(1)));
    let heavy = [Candidate { weight: 3, ..candidate(State::Alive, 5) }, candidate(State::Alive, 2)];
    assert!((0..1000).all(|random| least_in_flight(&heavy, &[0, 1], mix(random)) == Some(0)));
}

/// Names of instances, with nothing to do.
fn named(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| Candidate { hash: hash(name), ..candidate(State::Alive, 0) }).collect()
}

fn owners(instances: &[Candidate], from: &[usize]) -> BTreeMap<u64, usize> {
    let owner = |key: u64| by_key(instances, from, hash(&format!("key {key}"))).expect("somebody");
    (0..3000).map(|key| (key, owner(key))).collect()
}

#[test]
fn an_instance_that_goes_moves_its_own_keys_only() {
    let instances = named(&["a", "b", "c", "d"]);
    let (before, after) = (owners(&instances, &[0, 1, 2, 3]), owners(&instances, &[0, 1, 3]));
    for (key, owner) in &before {
        let now = after[key];
        assert!(if *owner == 2 { now != 2 } else { now == *owner }, "key {key} went from {owner} to {now}");
    }
    for instance in 0..4 {
        let keys = before.values().filter(|owner| **owner == instance).count();
        assert!((600..900).contains(&keys), "{instance} owns {keys} of 3000 keys");
    }
    let mut heavy = instances;
    heavy[0].weight = 3;
    let keys = owners(&heavy, &[0, 1, 2, 3]).values().filter(|owner| **owner == 0).count();
    assert!((1350..1650).contains(&keys), "half of the weight owns {keys} of 3000 keys");
}

/// Callers in other processes, built by other compilers, send a key to the same instance.
#[test]
fn a_hash_is_the_same_everywhere() {
    assert_eq!(hash(""), 0xefd0_1f60_ba99_2926);
    assert_eq!(hash("SKU-1"), 0xadd5_883a_0923_b9c3);
}

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let state = prop_oneof![Just(State::Alive), Just(State::Suspect), Just(State::Leaving)];
    (state, 0u32..10, 0u16..3, 0usize..200, any::<u64>()).prop_map(
        |(state, weight, priority, in_flight, hash)| Candidate { state, weight, priority, in_flight, hash },
    )
}

proptest! {
    /// Whatever the instances, every strategy chooses one of those that can be chosen, and finds one where there is
    /// any; an alive one unless it is a panic or all are leaving.
    #[test]
    fn the_choice_is_one_of_the_eligible(
        instances in proptest::collection::vec(any_candidate(), 0..12),
        panic_below in 0u8..=100,
        random in any::<u64>(),
    ) {
        let from = eligible(&instances, panic_below);
        prop_assert_eq!(from.positions.is_empty(), instances.is_empty());
        let mut turns = vec![0; instances.len()];
        let choices = [
            round_robin(&instances, &from.positions, &mut turns),
            least_in_flight(&instances, &from.positions, random),
            by_key(&instances, &from.positions, random),
        ];
        let all_leave = instances.iter().all(|it| it.state == State::Leaving);
        for choice in choices {
            prop_assert_eq!(choice.is_some(), !instances.is_empty());
            let Some(choice) = choice else { continue };
            prop_assert!(from.positions.contains(&choice));
            prop_assert!(from.panic || all_leave || instances[choice].state == State::Alive);
        }
    }

    /// Whatever the weights, after as many turns as all weights together each has had its own.
    #[test]
    fn turns_are_fair(weights in proptest::collection::vec(1u32..8, 1..8)) {
        let instances: Vec<_> =
            weights.iter().map(|weight| Candidate { weight: *weight, ..candidate(State::Alive, 0) }).collect();
        let from: Vec<_> = (0..instances.len()).collect();
        let (mut turns, mut had) = (vec![0; instances.len()], vec![0; instances.len()]);
        for _ in 0..weights.iter().sum::<u32>() {
            had[round_robin(&instances, &from, &mut turns).expect("somebody")] += 1;
        }
        prop_assert_eq!(had, weights);
    }

    /// Whatever the keys, nobody has more than a quarter over its share to do, rounded up.
    #[test]
    fn loads_by_key_are_bounded(
        keys in proptest::collection::vec(0u64..4, 1..300),
        hashes in proptest::collection::btree_set(any::<u64>(), 1..8),
    ) {
        let mut instances: Vec<_> =
            hashes.iter().map(|hash| Candidate { hash: *hash, ..candidate(State::Alive, 0) }).collect();
        let from: Vec<_> = (0..instances.len()).collect();
        for (calls, key) in keys.iter().enumerate() {
            let choice = by_key(&instances, &from, mix(*key)).expect("somebody");
            instances[choice].in_flight += 1;
            let bound = (5 * (calls + 1)).div_ceil(4 * instances.len());
            prop_assert!(instances[choice].in_flight <= bound);
        }
    }
}
