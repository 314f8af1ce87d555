//! How a history goes wrong: drawn from its seed, and from nothing else.

use super::{CHAOS, Happening, PROCESSES, SECOND, World};

/// SplitMix64 (Steele, Lea and Flood, 2014): the same on every machine and in every version.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).expect("32 bits")) / 4_294_967_296.0
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("small")).expect("small")
    }

    pub(super) fn micros(&mut self, longest: i64) -> i64 {
        // Cubed: most are short, some very long.
        let share = self.unit().powi(3);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a delay")]
        let delay = (longest as f64 * share) as i64;
        delay + 1
    }
}

/// How this history goes wrong, drawn from its seed.
pub(super) struct Weather {
    pub(super) loss: f64,
    pub(super) duplicates: f64,
    pub(super) refusal: f64,
    pub(super) waits: f64,
    pub(super) undo_failure: f64,
    pub(super) crash: f64,
    pub(super) freeze: f64,
    pub(super) save_failure: f64,
    pub(super) clock_jumps: bool,
    pub(super) longest_delay: i64,
}

impl Weather {
    pub(super) fn draw(random: &mut Random) -> Self {
        let mut share = |most: f64| if random.chance(0.3) { 0.0 } else { random.unit() * most };
        let (loss, duplicates, refusal, waits) = (share(0.3), share(0.5), share(0.3), share(0.2));
        let (undo_failure, crash, freeze, save_failure) = (share(0.5), share(0.3), share(0.3), share(0.2));
        let longest_delay = [SECOND / 10, 5 * SECOND, 600 * SECOND][random.below(3)];
        let clock_jumps = random.chance(0.2);
        Self {
            loss,
            duplicates,
            refusal,
            waits,
            undo_failure,
            crash,
            freeze,
            save_failure,
            clock_jumps,
            longest_delay,
        }
    }

    pub(super) fn fair() -> Self {
        Self {
            loss: 0.0,
            duplicates: 0.0,
            refusal: 0.0,
            waits: 0.0,
            undo_failure: 0.0,
            crash: 0.0,
            freeze: 0.0,
            save_failure: 0.0,
            clock_jumps: false,
            longest_delay: SECOND / 10,
        }
    }
}

impl World {
    /// Strikes one process, now and then.
    pub(super) fn nemesis(&mut self) {
        if self.now >= CHAOS {
            return;
        }
        let pause = 1 + self.random.micros(20 * SECOND);
        self.at(pause, Happening::Nemesis);
        let process = self.random.below(PROCESSES);
        if self.random.chance(self.weather.crash) {
            self.fault("crash");
            self.processes[process].driver = None;
            self.processes[process].up = false;
            let down = self.random.micros(60 * SECOND);
            self.at(down, Happening::Restart(process));
        }
        if self.random.chance(self.weather.freeze) {
            self.fault("freeze");
            self.processes[process].frozen_until = self.now + self.random.micros(60 * SECOND);
        }
        if self.weather.clock_jumps && self.random.chance(0.2) {
            self.fault("clock jump");
            self.processes[process].clock_offset = [0, 3600, -3600, 5][self.random.below(4)] * SECOND;
        }
        if self.random.chance(0.3) {
            self.happen(Happening::Wake);
        }
    }
}
