//! What a transaction may carry, to the last byte.

use bytes::Bytes;
use encamp::store::{CommitError, MAX_BYTES, MAX_OPERATIONS, Store, Txn};
use plan::{Guard, Write};

use super::world::{World, delete, key, put, under};

fn puts(count: usize) -> Vec<Write> {
    (0..count).map(|n| put(&format!("/limit/{n}"), "1")).collect()
}

fn absents(count: usize) -> Vec<Guard> {
    (0..count).map(|n| Guard::Absent(key(&format!("/limit/{n}")))).collect()
}

pub(crate) async fn operations_up_to_the_limit_pass_and_one_more_does_not<S: Store>(world: &World<S>) {
    let before = world.revision().await;
    let over = world.commit(absents(MAX_OPERATIONS + 1), vec![]).await;
    assert_eq!(over, Err(CommitError::TooLarge), "129 guards");
    let over = world.commit(vec![], puts(MAX_OPERATIONS + 1)).await;
    assert_eq!(over, Err(CommitError::TooLarge), "129 writes");
    assert_eq!(world.revision().await, before, "what is refused writes nothing");
    let full = world.commit(absents(MAX_OPERATIONS), puts(MAX_OPERATIONS)).await;
    assert!(full.is_ok(), "128 of each: {full:?}");
    assert_eq!(world.list(&under("/limit/")).await.len(), MAX_OPERATIONS);
}

pub(crate) async fn bytes_up_to_the_limit_pass_and_one_more_does_not<S: Store>(world: &World<S>) {
    let sized = |bytes: usize| {
        let writes = vec![Write::Put { key: key("/limit/big"), value: vec![7; bytes].into() }];
        Txn { guards: vec![], writes }
    };
    let largest = MAX_BYTES - sized(0).size();
    assert_eq!(world.store.commit(sized(largest + 1)).await, Err(CommitError::TooLarge));
    assert!(world.list(&under("/limit/")).await.is_empty());
    assert!(world.store.commit(sized(largest)).await.is_ok());
    assert_eq!(world.list(&under("/limit/")).await[0].value.len(), largest);

    // The same over as many operations as there may be, where every byte of framing counts.
    let empty = Txn { guards: absents(MAX_OPERATIONS), writes: puts(MAX_OPERATIONS) };
    let share = (MAX_BYTES - empty.size()) / MAX_OPERATIONS + 1;
    let spread = |bytes: usize| {
        let value = Bytes::from(vec![7; bytes]);
        let writes = (0..MAX_OPERATIONS)
            .map(|n| Write::Put { key: key(&format!("/limit/{n}")), value: value.clone() });
        Txn { guards: absents(MAX_OPERATIONS), writes: writes.collect() }
    };
    assert_eq!(world.store.commit(spread(share + 1)).await, Err(CommitError::TooLarge));
    assert!(world.store.commit(spread(share)).await.is_ok());
}

pub(crate) async fn a_key_is_written_once<S: Store>(world: &World<S>) {
    let twice = vec![put("/a/x", "1"), put("/a/y", "1"), put("/a/x", "2")];
    assert_eq!(world.commit(vec![], twice).await, Err(CommitError::TooLarge));
    let undone = vec![put("/a/x", "1"), delete("/a/x")];
    assert_eq!(world.commit(vec![], undone).await, Err(CommitError::TooLarge));
    assert!(world.list(&under("/a/")).await.is_empty());
    let guarded_twice = vec![Guard::Absent(key("/a/x")), Guard::Absent(key("/a/x"))];
    assert!(world.commit(guarded_twice, vec![put("/a/x", "1")]).await.is_ok(), "guards may repeat a key");
}

pub(crate) async fn an_empty_transaction_is_a_fresh_read_of_its_guards<S: Store>(world: &World<S>) {
    let now = world.revision().await;
    assert_eq!(world.commit(vec![], vec![]).await, Ok(now));
    let first = world.put("/a/x", "1").await;
    assert_eq!(world.commit(vec![Guard::At(key("/a/x"), first)], vec![]).await, Ok(first));
    assert_eq!(world.commit(vec![Guard::Absent(key("/a/x"))], vec![]).await, Err(CommitError::Conflict));
    assert_eq!(world.revision().await, first, "asking makes no revision");
}
