//! The suite of the windows of batch triggers.

use std::collections::BTreeSet;

use sidestep_core::event::batch::{BatchObject, Part, WindowId};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::batches::BatchStore;

use super::triggers::trigger;

fn object(number: u32) -> BatchObject {
    BatchObject {
        uri: S3Uri::new("inbox", format!("a/{number} ü.csv")),
        etag: "e".to_owned(),
        size: number.into(),
        version: "v".to_owned(),
        sequencer: "01".to_owned(),
    }
}

fn part(number: u32, uploads: usize) -> Part {
    let uploads: BTreeSet<_> = (0..uploads).map(|id| format!("{id:024x}")).collect();
    let listing = S3Uri::new("artifacts", format!("batches/{number}.json"));
    Part { number, listing, count: uploads.len(), uploads }
}

/// Runs every case over a store without windows. Panics at the first broken promise.
pub async fn suite(store: &dyn BatchStore) {
    let trigger = trigger("p", "inbox", "a/");
    let (id, other) = (WindowId::of("t", 60, 0), WindowId::of("t", 60, 60_000));
    assert_eq!(store.open_windows().await.unwrap(), []);
    assert_eq!(store.open_window(&id).await.unwrap(), None);
    assert_eq!(store.window(&id).await.unwrap(), (vec![], vec![]));
    assert!(!store.close_window(&id, 0).await.unwrap(), "what is not open cannot be closed");

    for (note, number) in [0, 1, 1, 2].into_iter().enumerate() {
        let noted = store.note(&id, &trigger, &object(number)).await.unwrap();
        assert_eq!(noted, note as u64 + 1);
    }
    let noted = store.note(&other, &trigger, &object(9)).await.unwrap();
    assert_eq!(noted, 1, "windows are counted one by one");
    let open = store.open_window(&id).await.unwrap().unwrap();
    assert_eq!((&open.id, &open.trigger, open.notes), (&id, &trigger, 4));
    let mut all: Vec<_> = store.open_windows().await.unwrap();
    all.sort_by_key(|window| window.id.clone());
    let ids: Vec<_> = all.iter().map(|window| window.id.clone()).collect();
    assert_eq!(ids, [id.clone(), other.clone()]);
    let (mut objects, parts) = store.window(&id).await.unwrap();
    objects.sort_by_key(|object| object.size);
    assert_eq!((objects, parts), ((0..3).map(object).collect(), vec![]), "twice is once");

    // A part is recorded once, also one of as many uploads as there can be.
    assert!(store.record_part(&id, &part(1, 10_000)).await.unwrap());
    assert!(!store.record_part(&id, &part(1, 2)).await.unwrap());
    assert!(store.record_part(&id, &part(2, 1)).await.unwrap());
    let (_, mut parts) = store.window(&id).await.unwrap();
    parts.sort_by_key(|part| part.number);
    assert_eq!(parts, [part(1, 10_000), part(2, 1)]);

    // Closed only as it was seen, and opened again by the next note.
    store.note(&id, &trigger, &object(3)).await.unwrap();
    assert!(!store.close_window(&id, 4).await.unwrap(), "something was noted meanwhile");
    assert!(store.close_window(&id, 5).await.unwrap());
    assert!(!store.close_window(&id, 5).await.unwrap());
    assert_eq!(store.open_window(&id).await.unwrap(), None);
    assert_eq!(store.window(&id).await.unwrap().0.len(), 4, "what was in it stays known");
    assert_eq!(store.note(&id, &trigger, &object(3)).await.unwrap(), 1);
    assert_eq!(store.open_windows().await.unwrap().len(), 2);
}
