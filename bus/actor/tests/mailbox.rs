//! The traps of actix that a mailbox closes; the shared semantics are in the testkit's suite.

use actix::Arbiter;
use bus::Executor;
use bus_actor::Mailbox;
use futures::future::FutureExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, oneshot};

/// A6: as deep as asked from the first call on, not sixteen.
#[actix_rt::test]
async fn a_mailbox_is_as_deep_as_asked_from_its_start() {
    let arbiter = Arbiter::new();
    for mailbox in [Mailbox::start(1000), Mailbox::start_on(&arbiter.handle(), 1000).await] {
        let done = Arc::new(Semaphore::new(0));
        for _ in 0..1000 {
            let done = Arc::clone(&done);
            let taken = mailbox.execute(Box::pin(async move { done.add_permits(1) }));
            assert!(taken.is_ok(), "refused although there is room");
        }
        let all = tokio::time::timeout(Duration::from_secs(20), done.acquire_many(1000)).await;
        assert!(all.is_ok(), "every job runs");
    }
    arbiter.stop();
}

/// The depth is a bound: what is too much is given back, not dropped.
#[actix_rt::test]
async fn what_a_full_mailbox_does_not_take_is_given_back() {
    let mailbox = Mailbox::start(2);
    let ran = Arc::new(AtomicUsize::new(0));
    let job = || {
        let ran = Arc::clone(&ran);
        async move { _ = ran.fetch_add(1, SeqCst) }.boxed()
    };
    // Without giving way, so that the actor takes nothing out meanwhile.
    let refused: Vec<_> = (0..10).filter_map(|_| mailbox.execute(job()).err()).collect();
    assert!(!refused.is_empty());
    let taken = 10 - refused.len();
    for job in refused {
        job.await;
    }
    let (done, last) = oneshot::channel::<()>();
    let mut last_job = async { drop(done) }.boxed();
    while let Err(refused) = mailbox.execute(last_job) {
        last_job = refused;
        tokio::task::yield_now().await;
    }
    assert!(last.await.is_err());
    assert_eq!(ran.load(SeqCst), 10, "{taken} in the mailbox, the rest here");
}

/// A stopped arbiter's mailbox gives jobs back, so that callers hear that nobody is there; what it had taken
/// is dropped, not left hanging.
#[actix_rt::test]
async fn a_stopped_arbiter_gives_jobs_back_and_drops_what_it_had() {
    let arbiter = Arbiter::new();
    let mailbox = Mailbox::start_on(&arbiter.handle(), 16).await;
    let (begun, has_begun) = oneshot::channel();
    let (kept, lost) = oneshot::channel::<()>();
    let job = async move {
        assert!(begun.send(()).is_ok());
        let _kept = kept;
        futures::future::pending::<()>().await;
    };
    assert!(mailbox.execute(job.boxed()).is_ok());
    assert!(has_begun.await.is_ok());
    arbiter.stop();
    arbiter.join().expect("the thread ends");
    assert!(lost.await.is_err(), "the job went with its thread");
    assert!(mailbox.execute(async {}.boxed()).is_err());
}

/// Starting on an arbiter that has been stopped neither hangs nor takes jobs.
#[actix_rt::test]
async fn starting_on_a_stopped_arbiter_does_not_hang() {
    let arbiter = Arbiter::new();
    arbiter.stop();
    let started =
        tokio::time::timeout(Duration::from_secs(20), Mailbox::start_on(&arbiter.handle(), 16)).await;
    let mailbox = started.expect("it does not hang");
    arbiter.join().expect("the thread ends");
    assert!(mailbox.execute(async {}.boxed()).is_err());
}
