//! A module's database as an operator's counterpart.

use crate::Database;
use async_trait::async_trait;
use bus::{BusError, Operation, Operations, Outcome};

#[async_trait]
impl Operations for Database {
    async fn operate(&self, operation: Operation) -> Result<Outcome, BusError> {
        match operation {
            Operation::DeadLetters { after, limit } => {
                self.dead_letters(after.as_ref(), limit).await.map(Outcome::DeadLetters)
            }
            Operation::ReplayDeadLetter(id) => self.replay_dead_letter(id).await.map(Outcome::Done),
            Operation::DiscardDeadLetter(id) => self.discard_dead_letter(id).await.map(Outcome::Done),
            Operation::Sagas { phases, before, limit } => {
                self.sagas(&phases, before, limit).await.map(Outcome::Sagas)
            }
            Operation::RetrySaga(id) => self.retry_saga(id).await.map(Outcome::Done),
            Operation::Lag => self.lag().await.map(|(outbox, inbox)| Outcome::Lag { outbox, inbox }),
        }
    }
}
