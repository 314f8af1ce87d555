//! Idempotency keys: one effect and one answer for each, through crashes, from two processes at once.

use crate::{
    group::Gate,
    world::{Home, count, note, number, run, set},
};
use bus::{BusError, CallKind, Command, Context, ErrorKind, PortError, Request};
use bus_durable::{Claim, Database, Tx, replay};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Take {
    count: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    left: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
enum TakeError {
    #[error("only {left} are left")]
    NotEnough { left: i64 },
    #[error("there is no such thing")]
    NotFound,
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for TakeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotEnough { .. } => ErrorKind::Conflict,
            Self::NotFound => ErrorKind::NotFound,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}

impl Request for Take {
    type Response = Taken;
    type Error = TakeError;
    const PORT: &'static str = "shop";
    const NAME: &'static str = "shop.take";
    const KIND: CallKind = CallKind::Command;
}

fn take<'a>(request: &'a Take, tx: &'a Tx<'a>) -> BoxFuture<'a, Result<Taken, TakeError>> {
    Box::pin(async move {
        let row =
            tx.row("SELECT value FROM note WHERE name = 'stock'", []).await?.ok_or(TakeError::NotFound)?;
        let left: i64 = row.get("value")?;
        if left < request.count {
            return Err(TakeError::NotEnough { left });
        }
        note(tx, "stock", left - request.count).await?;
        Ok(Taken { left: left - request.count })
    })
}

/// The answer, and whether it was told to be a repetition.
async fn ask(database: &Database, key: &str, count: i64) -> (Result<Taken, TakeError>, bool) {
    let command = Command { id: key.into(), fingerprint: format!("take {count}") };
    let mut context = Context::default();
    context.command = Some(Arc::new(command));
    let asked = context.scope(async {
        let answer = database.command(vec!["stock".into()], Take { count }, take).await;
        (answer, Context::current().replayed())
    });
    asked.await
}

async fn stock(database: &Database) -> i64 {
    number(database, "SELECT value AS n FROM note WHERE name = 'stock'").await
}

/// B19, B20, I8: asked again a command gives the same answer and has no second effect; under the same key
/// another request is refused; another caller's is his own.
async fn a_repeated_command_gives_the_same_answer(home: Home) {
    let database = home.open().await;
    set(&database, "stock", 10).await.expect("set");
    assert_eq!(ask(&database, "anna:1", 3).await, (Ok(Taken { left: 7 }), false));
    assert_eq!(ask(&database, "anna:1", 3).await, (Ok(Taken { left: 7 }), true));
    let (reused, _) = ask(&database, "anna:1", 4).await;
    assert_eq!(reused, Err(TakeError::Unavailable(BusError::KeyReused)));
    assert_eq!(ask(&database, "bert:1", 3).await, (Ok(Taken { left: 4 }), false));
    assert_eq!(stock(&database).await, 4);
    let without = database.command(vec![], Take { count: 1 }, take).await;
    assert_eq!(without, Ok(Taken { left: 3 }));
    assert_eq!(count(&database, "idempotency", "1 = 1").await, 2);
}

/// Section 5.5: a refusal that says something about the state is the key's answer from then on; one that came
/// before any work is not.
async fn a_conflict_is_kept_and_a_missing_thing_is_not(home: Home) {
    let database = home.open().await;
    assert_eq!(ask(&database, "anna:1", 3).await, (Err(TakeError::NotFound), false));
    set(&database, "stock", 2).await.expect("set");
    let (refused, _) = ask(&database, "anna:1", 3).await;
    assert_eq!(refused, Err(TakeError::NotEnough { left: 2 }), "asked anew");
    set(&database, "stock", 5).await.expect("set");
    assert_eq!(ask(&database, "anna:1", 3).await, (Err(TakeError::NotEnough { left: 2 }), true));
    assert_eq!(ask(&database, "anna:2", 3).await, (Ok(Taken { left: 2 }), false));
}

/// B19, I8: fifty requests under one key at the same time, from two processes where there can be two. One
/// effect, one answer.
async fn one_key_at_the_same_time_has_one_effect(home: Home) {
    let here = home.open().await;
    let there = if home.is_postgres() { home.open().await } else { here.clone() };
    set(&here, "stock", 1000).await.expect("set");
    for round in 0..10 {
        let key = format!("anna:{round}");
        let asked = (0..50).map(|i| {
            let (database, key) = (if i % 2 == 0 { here.clone() } else { there.clone() }, key.clone());
            bus::spawn(async move { ask(&database, &key, 10).await })
        });
        let answers = futures::future::join_all(asked).await;
        let left = 1000 - 10 * (round + 1);
        let mut firsts = 0;
        for answer in answers {
            let (answer, replayed) = answer.expect("answers");
            assert_eq!(answer, Ok(Taken { left }));
            firsts += usize::from(!replayed);
        }
        assert_eq!(firsts, 1, "one of them carried it out");
        assert_eq!(stock(&here).await, left);
    }
}

/// B19: the same key twice in one group, whose rows are written together at its end.
async fn one_key_twice_in_a_group_has_one_effect(home: Home) {
    let database = home.open().await;
    set(&database, "stock", 100).await.expect("set");
    let gate = Gate::shut(&database).await;
    let mut asked: Vec<_> = (0..6).map(|_| Box::pin(ask(&database, "anna:1", 10))).collect();
    for asked in &mut asked {
        assert!(futures::poll!(asked).is_pending());
    }
    gate.open().await;
    for asked in asked {
        assert_eq!(asked.await.0, Ok(Taken { left: 90 }));
    }
    assert_eq!(stock(&database).await, 90);
}

/// B19, K-H1: long work claims its key in one unit and settles it in another. What crashes in between leaves a
/// key that says so, until the work that is resumed settles it; the first outcome stays.
async fn a_claim_outlives_the_process_that_made_it(home: Home) {
    let command = Command { id: "anna:1".into(), fingerprint: "place".into() };
    let claim = async |database: &Database, command: &Command| {
        let claimed = database
            .write(command.clone(), |command, tx| Box::pin(async move { tx.claim(Some(command)).await }));
        let claimed: Result<Claim, BusError> = claimed.await;
        claimed
    };
    {
        let database = home.open().await;
        assert_eq!(database.look_up(&command).await, Ok(Claim::New));
        assert_eq!(claim(&database, &command).await, Ok(Claim::New));
        assert_eq!(claim(&database, &command).await, Ok(Claim::Running));
        database.close().await;
    }
    let database = home.open().await;
    assert_eq!(database.look_up(&command).await, Ok(Claim::Running));
    let other = Command { fingerprint: "other".into(), ..command.clone() };
    assert_eq!(claim(&database, &other).await, Err(BusError::KeyReused));
    assert_eq!(database.look_up(&other).await, Err(BusError::KeyReused));
    for left in [1, 2] {
        let settled = database.write(left, |left, tx| {
            Box::pin(async move { tx.settle("anna:1", &Ok::<_, TakeError>(Taken { left: *left })) })
        });
        let settled: Result<(), BusError> = settled.await;
        settled.expect("settled");
    }
    match claim(&database, &command).await {
        Ok(Claim::Settled(outcome)) => {
            assert_eq!(replay::<Taken, TakeError>(&outcome), Ok(Taken { left: 1 }), "the first stays");
        }
        other => panic!("{other:?}"),
    }
    let forgotten = database.write((), |(), tx| Box::pin(async move { tx.forget("anna:1").await }));
    let forgotten: Result<(), BusError> = forgotten.await;
    forgotten.expect("asked");
    assert_eq!(count(&database, "idempotency", "1 = 1").await, 1, "what is settled is not forgotten");
}

/// B19, K-H2: effect and outcome are committed together or not at all.
async fn an_effect_without_its_outcome_cannot_be(home: Home) {
    let database = home.open().await;
    set(&database, "stock", 10).await.expect("set");
    // The outcome's row does not fit: the effect must not be there either.
    run(
        &database,
        "INSERT INTO idempotency (id, fingerprint, outcome, at) VALUES ('anna:1', 'take 3', NULL, 0)",
    )
    .await;
    let (answer, _) = ask(&database, "anna:1", 3).await;
    assert_eq!(answer, Err(TakeError::Unavailable(BusError::KeyInUse)));
    assert_eq!(stock(&database).await, 10);
}

crate::on_both! {
    /// B19, B20, I8.
    a_repeated_command_gives_the_same_answer;
    /// Section 5.5.
    a_conflict_is_kept_and_a_missing_thing_is_not;
    /// B19, I8.
    one_key_at_the_same_time_has_one_effect;
    /// B19.
    one_key_twice_in_a_group_has_one_effect;
    /// B19, K-H1.
    a_claim_outlives_the_process_that_made_it;
    /// B19, K-H2.
    an_effect_without_its_outcome_cannot_be;
}
