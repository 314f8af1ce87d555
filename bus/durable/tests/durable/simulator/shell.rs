//! The thin shell around the core, in one thread: decides, carries effects out, saves, sends.

use super::{Happening, Reply, Row, SECOND, STEPS, World};
use bus_durable::saga::{Effect, Input, decide};
use std::time::Duration;

impl World {
    /// The thin shell, without threads: decides, and carries the effect out.
    pub(super) fn drive(&mut self, process: usize, input: Input) {
        let mut input = Some(input);
        while let Some(next) = input.take() {
            let (now, random) = (self.clock(process), self.random.unit());
            let Some(driver) = self.processes[process].driver.as_mut() else { return };
            let effect = decide(&mut driver.instance, next, &STEPS, now, random);
            match effect {
                Effect::Act(step) => self.send_act(process, step),
                Effect::ActAfter(step, pause) => {
                    assert!(pause <= Duration::from_millis(500), "inside the policy's bounds: {pause:?}");
                    let (token, pause) =
                        (self.token(process), i64::try_from(pause.as_micros()).expect("short"));
                    self.at(pause, Happening::SendAct { process, token, step });
                }
                Effect::Undo(step) => self.send_undo(process, step),
                Effect::SaveAndUndo(step) => {
                    if self.save(process) {
                        self.send_undo(process, step);
                    }
                }
                Effect::Wait | Effect::Rest | Effect::Complete | Effect::Compensate => {
                    self.save(process);
                    self.processes[process].driver = None;
                }
                Effect::Nothing => self.processes[process].driver = None,
            }
        }
    }

    /// Whether it is saved and the driver knows; otherwise the driver lets go.
    pub(super) fn save(&mut self, process: usize) -> bool {
        let fails = self.random.chance(self.weather.save_failure);
        let answer_lost = self.random.chance(self.weather.save_failure);
        let Some(driver) = self.processes[process].driver.as_mut() else { return false };
        let fits = driver.version == self.row.version || self.flaws.does_not_fence;
        if fits && !fails {
            driver.version = self.row.version + 1;
            self.row = Row { instance: driver.instance.clone(), version: driver.version };
            if !answer_lost {
                return true;
            }
        }
        let name = if !fits {
            "fenced"
        } else if fails {
            "save failed"
        } else {
            "commit unknown"
        };
        self.fault(name);
        self.processes[process].driver = None;
        false
    }

    pub(super) fn token(&mut self, process: usize) -> u64 {
        self.tokens += 1;
        if let Some(driver) = self.processes[process].driver.as_mut() {
            driver.awaits = self.tokens;
        }
        self.tokens
    }

    pub(super) fn awaits(&self, process: usize, token: u64) -> bool {
        self.processes[process].up
            && self.processes[process].driver.as_ref().is_some_and(|driver| driver.awaits == token)
    }

    pub(super) fn send_act(&mut self, process: usize, step: usize) {
        let token = self.token(process);
        self.send(|process, token| Happening::ActArrives { step, process, token }, process, token);
        self.at(10 * SECOND, Happening::Reply { process, token, reply: Reply::NoAnswer });
    }

    pub(super) fn send_undo(&mut self, process: usize, step: usize) {
        let token = self.token(process);
        self.send(|process, token| Happening::UndoArrives { step, process, token }, process, token);
        self.at(10 * SECOND, Happening::Reply { process, token, reply: Reply::UndoFailed });
    }

    fn send(&mut self, request: impl Fn(usize, u64) -> Happening, process: usize, token: u64) {
        if self.random.chance(self.weather.loss) {
            return self.fault("request lost");
        }
        let delay = self.random.micros(self.weather.longest_delay);
        self.at(delay, request(process, token));
        if self.random.chance(self.weather.duplicates) {
            self.fault("duplicate");
            let delay = self.random.micros(self.weather.longest_delay);
            self.at(delay, request(process, 0));
        }
    }

    pub(super) fn answer(&mut self, process: usize, token: u64, reply: Reply) {
        if self.random.chance(self.weather.loss) {
            return self.fault("answer lost");
        }
        let delay = self.random.micros(self.weather.longest_delay);
        self.at(delay, Happening::Reply { process, token, reply });
    }
}
