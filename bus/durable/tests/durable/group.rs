//! Group commit: what units of work owe each other, and what one that goes wrong may not do to its neighbours.

use crate::world::{Home, Moved, SOON, count, note, number, run, set};
use bus::{BusError, Context};
use bus_durable::{Database, Tx, sea_orm::Value};
use futures::FutureExt as _;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Keeps the writer busy until it is opened, so that what is submitted meanwhile makes one group.
pub(crate) struct Gate {
    opened: watch::Sender<bool>,
    inside: tokio::task::JoinHandle<Result<(), BusError>>,
}

impl Gate {
    pub(crate) async fn shut(database: &Database) -> Self {
        let (opened, open) = watch::channel(false);
        let (entered, mut is_in) = watch::channel(false);
        let database = database.clone();
        let inside = bus::spawn(async move {
            let state = (open, entered);
            let wait = database.write(state, |(open, entered), _| {
                Box::pin(async move {
                    entered.send_replace(true);
                    let _ = open.clone().wait_for(|open| *open).await;
                    Ok::<(), BusError>(())
                })
            });
            wait.await
        });
        is_in.wait_for(|is_in| *is_in).await.expect("the gate is reached");
        Self { opened, inside }
    }

    pub(crate) async fn open(self) {
        self.opened.send_replace(true);
        self.inside.await.expect("runs").expect("passes");
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    RefusesClean,
    RefusesAfterwards,
    BreaksAStatement,
    SwallowsABrokenStatement,
    PanicsClean,
    PanicsAfterwards,
    PublishesAndRefuses,
    BreaksALaterRow,
}

const KINDS: [Kind; 9] = [
    Kind::Good,
    Kind::RefusesClean,
    Kind::RefusesAfterwards,
    Kind::BreaksAStatement,
    Kind::SwallowsABrokenStatement,
    Kind::PanicsClean,
    Kind::PanicsAfterwards,
    Kind::PublishesAndRefuses,
    Kind::BreaksALaterRow,
];

async fn misbehave(kind: Kind, name: &str, tx: &Tx<'_>) -> Result<(), BusError> {
    let refusal = || Err(BusError::Unavailable { port: "refused".into() });
    let broken = async || tx.execute("INSERT INTO note (name, value) VALUES ('broken', -1)", []).await;
    match kind {
        Kind::RefusesClean => return refusal(),
        Kind::PanicsClean => panic!("told to panic"),
        _ => note(tx, name, 1).await?,
    }
    match kind {
        Kind::RefusesAfterwards => refusal(),
        Kind::BreaksAStatement => broken().await.map(|_| ()),
        Kind::SwallowsABrokenStatement => {
            assert!(broken().await.is_err(), "the statement breaks");
            Ok(())
        }
        Kind::PanicsAfterwards => panic!("told to panic after writing"),
        Kind::PublishesAndRefuses => {
            tx.publish(&Moved { thing: name.into(), step: 1 })?;
            refusal()
        }
        Kind::BreaksALaterRow => {
            tx.insert_later(later::ActiveModel {
                name: bus_durable::sea_orm::Set(name.to_owned()),
                value: bus_durable::sea_orm::Set(-1),
            });
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(crate) mod later {
    //! The notes, as rows that wait for the end of the group.
    use bus_durable::sea_orm::{self, entity::prelude::*};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) value: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Every way of going wrong, in one group with good units: exactly the good ones are committed, and everybody
/// hears what became of his own.
async fn one_failing_unit_takes_no_neighbour_down(home: Home) {
    let database = home.open().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let gate = Gate::shut(&database).await;
    let mut units: Vec<_> = (0..5 * KINDS.len())
        .map(|i| {
            let kind = KINDS[i % KINDS.len()];
            let state = (kind, format!("unit {i}"), Arc::clone(&runs));
            let outcome = database.write(state, |(kind, name, runs), tx| {
                Box::pin(async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    misbehave(*kind, name, tx).await
                })
            });
            (kind, Box::pin(outcome))
        })
        .collect();
    for (_, unit) in &mut units {
        assert!(futures::poll!(unit).is_pending(), "it is queued");
    }
    gate.open().await;
    for (kind, unit) in units {
        let outcome: Result<(), BusError> = unit.await;
        match kind {
            Kind::Good => assert_eq!(outcome, Ok(())),
            Kind::RefusesClean | Kind::RefusesAfterwards | Kind::PublishesAndRefuses => {
                assert_eq!(outcome, Err(BusError::Unavailable { port: "refused".into() }), "{kind:?}");
            }
            Kind::PanicsClean | Kind::PanicsAfterwards => {
                assert!(matches!(outcome, Err(BusError::Died { .. })), "{kind:?}: {outcome:?}");
            }
            _ => assert!(matches!(outcome, Err(BusError::Failed { .. })), "{kind:?}: {outcome:?}"),
        }
    }
    assert_eq!(count(&database, "note", "1 = 1").await, 5, "the good ones and nothing else");
    assert_eq!(count(&database, "outbox", "1 = 1").await, 0);
    assert!(runs.load(Ordering::SeqCst) > 45, "they shared a group that had to run again");
}

/// B3, U-PGABORT: PostgreSQL answers COMMIT of a failed transaction with success. A unit that goes on after a
/// failed statement is an error, and nothing of it is there.
async fn an_aborted_transaction_is_never_reported_as_committed(home: Home) {
    let database = home.open().await;
    set(&database, "taken", 1).await.expect("written");
    let outcome = database.write((), |(), tx| {
        Box::pin(async move {
            note(tx, "before", 1).await?;
            let twice = tx.execute("INSERT INTO note (name, value) VALUES ('taken', 2)", []).await;
            assert!(twice.is_err(), "the key is taken");
            // Whatever it says now is said into an aborted transaction.
            let _ = note(tx, "after", 1).await;
            Ok::<(), BusError>(())
        })
    });
    let outcome = outcome.await;
    assert!(matches!(outcome, Err(BusError::Failed { .. })), "{outcome:?}");
    assert_eq!(count(&database, "note", "name <> 'taken'").await, 0);
    set(&database, "later", 1).await.expect("the writer goes on");
}

/// B4, R-CANCEL: 500 writes whose callers go away after 0 to 3 ms. Every one of them runs to its end, no
/// session is left inside a transaction, and later units see nothing of it.
async fn callers_that_go_away_leave_nothing_open(home: Home) {
    let database = home.open().await;
    let mut gone = 0;
    for i in 0..500 {
        let name = format!("cancelled {i}");
        // Every other one goes as soon as it has asked, the rest at some time on the way.
        if i % 2 == 0 {
            gone += usize::from(Box::pin(set(&database, &name, i)).now_or_never().is_none());
            continue;
        }
        let patience = Duration::from_micros(rand::random_range(0..3000));
        if tokio::time::timeout(patience, set(&database, &name, i)).await.is_err() {
            gone += 1;
        }
    }
    assert!(gone >= 200, "callers did go away: {gone}");
    for i in 0..200 {
        set(&database, &format!("later {i}"), i).await.expect("written");
    }
    let written = count(&database, "note", "name LIKE 'cancelled%'").await;
    assert_eq!(written, 500, "what was started ran to its end");
    if home.is_postgres() {
        let open = "SELECT COUNT(*) AS n FROM pg_stat_activity \
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        assert_eq!(number(&database, open).await, 0);
    }
}

/// B5, R-BUSY: eight tasks that read and then write the same row, against readers. No error, no lost update.
async fn reading_and_then_writing_never_finds_the_database_busy(home: Home) {
    let database = home.open().await;
    set(&database, "counter", 0).await.expect("written");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let database = database.clone();
            bus::spawn(async move {
                for _ in 0..100 {
                    number(&database, "SELECT value AS n FROM note WHERE name = 'counter'").await;
                    let counted = database.write((), |(), tx| {
                        Box::pin(async move {
                            let row = tx.row("SELECT value FROM note WHERE name = 'counter'", []).await?;
                            let value: i64 = row.expect("there").get("value")?;
                            note(tx, "counter", value + 1).await
                        })
                    });
                    let counted: Result<(), BusError> = counted.await;
                    counted.expect("never busy");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("runs");
    }
    assert_eq!(number(&database, "SELECT value AS n FROM note WHERE name = 'counter'").await, 800);
}

/// Design section 4: where the COMMIT fails, nobody of the group is told that all is well, and the writer
/// goes on.
async fn a_commit_that_fails_is_heard_by_its_whole_group(home: Home) {
    let database = home.open().await;
    run(
        &database,
        "CREATE TABLE child (note TEXT NOT NULL REFERENCES note (name) DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let gate = Gate::shut(&database).await;
    let bad = database.write((), |(), tx| {
        Box::pin(async move { tx.execute("INSERT INTO child (note) VALUES ('nowhere')", []).await })
    });
    let (good, bad, ()): (_, Result<u64, BusError>, ()) =
        futures::join!(set(&database, "neighbour", 1), bad, gate.open());
    assert!(good.is_err() && bad.is_err(), "{good:?} {bad:?}");
    assert_eq!(count(&database, "note", "1 = 1").await, 0);
    set(&database, "later", 1).await.expect("the writer goes on");
}

/// A caller may count on being the only holder of what it shared with its unit of work, once that is answered.
async fn a_units_state_is_gone_before_its_answer(home: Home) {
    let database = home.open().await;
    for i in 0..3000 {
        let state = Arc::new(i);
        let written = database.write(Arc::clone(&state), |_, _| Box::pin(async { Ok::<(), BusError>(()) }));
        written.await.expect("written");
        assert!(Arc::into_inner(state).is_some(), "round {i}");
    }
}

/// Design section 3.4: work whose deadline has passed is dropped before it starts.
async fn a_unit_whose_deadline_has_passed_is_not_run(home: Home) {
    let database = home.open().await;
    let gate = Gate::shut(&database).await;
    let deadline = tokio::time::Instant::now() + Duration::from_millis(20);
    let late = Context::default().with_deadline(deadline).scope(set(&database, "late", 1));
    let open = async {
        tokio::time::sleep_until(deadline + Duration::from_millis(5)).await;
        gate.open().await;
    };
    let (late, ()) = futures::join!(late, open);
    assert!(matches!(late, Err(BusError::DeadlineExceeded { .. })), "{late:?}");
    assert_eq!(count(&database, "note", "1 = 1").await, 0);
}

/// Design section 3.5: past the queue's length the answer is `Overloaded`, at once.
async fn a_full_queue_answers_at_once(home: Home) {
    let database = home.open().await;
    let gate = Gate::shut(&database).await;
    let mut queued: Vec<_> = (0..4096)
        .map(|_| Box::pin(database.write((), |(), _| Box::pin(async { Ok::<(), BusError>(()) }))))
        .collect();
    for unit in &mut queued {
        assert!(futures::poll!(unit).is_pending());
    }
    let refused = tokio::time::timeout(SOON, set(&database, "one too many", 1)).await.expect("at once");
    assert!(matches!(refused, Err(BusError::Overloaded { .. })), "{refused:?}");
    gate.open().await;
    for unit in queued {
        unit.await.expect("all of the others are carried out");
    }
    set(&database, "later", 1).await.expect("there is room again");
}

/// Two processes that change the same rows under the same keys lose no update, whatever order they name the
/// keys in.
async fn keys_that_are_locked_keep_processes_apart(home: Home) {
    let first = home.open().await;
    let second = if home.is_postgres() { home.open().await } else { first.clone() };
    set(&first, "left", 0).await.expect("written");
    set(&first, "right", 0).await.expect("written");
    let tasks: Vec<_> = (0..8)
        .map(|i| {
            let database = if i % 2 == 0 { first.clone() } else { second.clone() };
            let mut names = ["left", "right"];
            names.rotate_left(i % 2);
            bus::spawn(async move {
                for _ in 0..50 {
                    let locks = names.iter().map(|name| (*name).to_owned()).collect();
                    let counted = database.write_locking(locks, names, |names, tx| {
                        Box::pin(async move {
                            for name in names {
                                let sql = "SELECT value FROM note WHERE name = $1";
                                let row = tx.row(sql, [Value::from(*name)]).await?.expect("there");
                                note(tx, name, row.get::<i64>("value")? + 1).await?;
                            }
                            Ok::<(), BusError>(())
                        })
                    });
                    counted.await.expect("counted");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("runs");
    }
    assert_eq!(
        number(&first, "SELECT CAST(SUM(value) AS BIGINT) AS n FROM note WHERE name = 'left'").await,
        400
    );
    assert_eq!(
        number(&first, "SELECT CAST(SUM(value) AS BIGINT) AS n FROM note WHERE name = 'right'").await,
        400
    );
}

crate::on_both! {
    /// Group commit: see the body.
    one_failing_unit_takes_no_neighbour_down;
    /// B3.
    an_aborted_transaction_is_never_reported_as_committed;
    /// B4.
    callers_that_go_away_leave_nothing_open;
    /// B5.
    reading_and_then_writing_never_finds_the_database_busy;
    /// B2.
    a_commit_that_fails_is_heard_by_its_whole_group;
    /// See the body.
    a_units_state_is_gone_before_its_answer;
    /// Design section 3.4.
    a_unit_whose_deadline_has_passed_is_not_run;
    /// Design section 3.5.
    a_full_queue_answers_at_once;
    /// C4.
    keys_that_are_locked_keep_processes_apart;
}
