//! What units leave to the end of their group, taking the database to be as it nearly always is.

use crate::{
    group::Gate,
    world::{Home, number, set},
};
use bus::BusError;
use bus_durable::{Counter, Database, Tx, Update, sea_orm::Value};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Sets a note that has the value it was last seen with.
static MOVE: Update = Update {
    sql: "UPDATE note SET value = v.column3 FROM {values} WHERE note.name = v.column1 AND note.value = v.column2",
    must_match: true,
};

/// Takes from a note what is there.
static TAKE: Update = Update {
    sql: "UPDATE note SET value = note.value - v.column2 FROM {values} \
          WHERE note.name = v.column1 AND note.value >= v.column2",
    must_match: true,
};

static NUMBER: Counter = Counter { table: "note", name: "numbers" };

async fn value(database: &Database, name: &str) -> i64 {
    number(database, &format!("SELECT value AS n FROM note WHERE name = '{name}'")).await
}

/// Carries out all of these in one group.
async fn together<T>(database: &Database, units: Vec<impl Future<Output = T>>) -> Vec<T> {
    let gate = Gate::shut(database).await;
    let mut units: Vec<_> = units.into_iter().map(Box::pin).collect();
    for unit in &mut units {
        assert!(futures::poll!(unit).is_pending(), "it is queued behind the gate");
    }
    gate.open().await;
    futures::future::join_all(units).await
}

async fn move_from(database: Database, name: String, seen: i64, to: i64) -> Result<(), BusError> {
    database
        .write((name, seen, to), |(name, seen, to), tx| {
            Box::pin(async move {
                tx.update_later(&MOVE, vec![name.as_str().into(), (*seen).into(), (*to).into()]);
                Ok(())
            })
        })
        .await
}

async fn a_stale_update_fails_alone(home: Home) {
    let database = home.open().await;
    for n in 0..20 {
        set(&database, &format!("note {n}"), 1).await.expect("set");
    }
    let units = (0..20).map(|n| {
        // The seventh has seen what is not there.
        move_from(database.clone(), format!("note {n}"), if n == 7 { 5 } else { 1 }, 100 + n)
    });
    let outcomes = together(&database, units.collect()).await;
    for (n, outcome) in (0_i64..).zip(&outcomes) {
        assert_eq!(outcome.is_ok(), n != 7, "{n}: {outcome:?}");
        assert_eq!(value(&database, &format!("note {n}")).await, if n == 7 { 1 } else { 100 + n });
    }
    database.close().await;
}

async fn two_that_saw_the_same_do_not_both_win(home: Home) {
    let database = home.open().await;
    set(&database, "one", 1).await.expect("set");
    let units = (0..2).map(|n| move_from(database.clone(), "one".into(), 1, 10 + n)).collect();
    let outcomes = together(&database, units).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(value(&database, "one").await >= 10);
    database.close().await;
}

/// Takes, hoping first; where that was in vain, looks.
async fn take(tx: &Tx<'_>, amount: i64, looks: &AtomicUsize) -> Result<(), BusError> {
    if tx.is_optimistic() {
        tx.add_later(&TAKE, "stock", &[amount]);
        return Ok(());
    }
    looks.fetch_add(1, Ordering::SeqCst);
    let sql = "UPDATE note SET value = value - $1 WHERE name = 'stock' AND value >= $1";
    match tx.execute(sql, [Value::from(amount)]).await? {
        0 => Err(BusError::Unavailable { port: "sold out".into() }),
        _ => Ok(()),
    }
}

async fn what_is_scarce_is_given_out_exactly(home: Home) {
    let database = home.open().await;
    set(&database, "stock", 100).await.expect("set");
    let looks = Arc::new(AtomicUsize::new(0));
    let takes = |count: usize| -> Vec<_> {
        let one = || {
            let (database, looks) = (database.clone(), Arc::clone(&looks));
            async move {
                database.write(looks, |looks, tx| Box::pin(async move { take(tx, 3, looks).await })).await
            }
        };
        (0..count).map(|_| one()).collect()
    };
    let outcomes = together(&database, takes(10)).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!((value(&database, "stock").await, looks.load(Ordering::SeqCst)), (70, 0), "summed up, unseen");
    let outcomes = together(&database, takes(30)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 23);
    assert_eq!(value(&database, "stock").await, 1);
    assert!(looks.load(Ordering::SeqCst) >= 30, "hoped in vain: each has looked");
    database.close().await;
}

async fn numbers_have_no_gaps(home: Home) {
    let database = home.open().await;
    set(&database, "numbers", 41).await.expect("set");
    let one = |refuses: bool| {
        let database = database.clone();
        async move {
            database
                .write(refuses, |refuses, tx| {
                    Box::pin(async move {
                        let number = tx.next_number(&NUMBER).await?;
                        if *refuses {
                            Err(BusError::Unavailable { port: "refused".into() })
                        } else {
                            Ok(number)
                        }
                    })
                })
                .await
        }
    };
    // One that refuses after it has taken a number costs nobody one.
    for refusing in [usize::MAX, 4, 0] {
        let first = value(&database, "numbers").await;
        let outcomes = together(&database, (0..10).map(|n| one(n == refusing)).collect()).await;
        let mut numbers: Vec<i64> = outcomes.into_iter().filter_map(Result::ok).collect();
        numbers.sort_unstable();
        let given = if refusing < 10 { 9 } else { 10 };
        assert_eq!(numbers, (first + 1..=first + given).collect::<Vec<_>>());
        assert_eq!(value(&database, "numbers").await, first + given);
    }
    database.close().await;
}

crate::on_both! {
    /// F1, B15: a guard that does not hold undoes its own unit.
    a_stale_update_fails_alone;
    /// F5: one version, one winner.
    two_that_saw_the_same_do_not_both_win;
    /// F1: never more than there is, never less than could be.
    what_is_scarce_is_given_out_exactly;
    /// Order numbers: committed ones only.
    numbers_have_no_gaps;
}
