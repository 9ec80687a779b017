//! A writer that comes round, and a reader beside it: what is read is always one record.

use super::ring::{TraceBuffer, TraceRing};
use loom::sync::Arc;
use loom::thread;

fn beside_a_writer(read: fn(&TraceRing, u64) -> Option<[u64; 4]>) {
    loom::model(move || {
        let ring: Arc<TraceBuffer<2>> = Arc::new(TraceBuffer::new());
        let reader = {
            let ring = ring.clone();
            thread::spawn(move || {
                let ring: &TraceRing = &ring;
                for index in ring.oldest()..ring.head() {
                    if let Some(words) = read(ring, index) {
                        assert_eq!(words, [index + 1; 4], "half of one and half of another");
                    }
                }
            })
        };
        let ring: &TraceRing = &ring;
        (0..3).for_each(|record| ring.push([record + 1; 4]));
        reader.join().unwrap();
        assert_eq!((ring.oldest(), ring.head()), (2, 3));
        assert_eq!(ring.read(2), Some([3; 4]));
        assert_eq!(ring.read(1), None);
    });
}

#[test]
fn a_record_is_read_whole_or_not_at_all() {
    beside_a_writer(TraceRing::read);
}

#[test]
#[should_panic(expected = "half of one and half of another")]
fn looking_before_the_words_alone_is_caught() {
    beside_a_writer(|ring, index| {
        let whole = ring.is_whole(index);
        let words = ring.words(index);
        whole.then_some(words)
    });
}

#[test]
fn a_ring_has_one_owner() {
    loom::model(|| {
        let ring: Arc<TraceBuffer<2>> = Arc::new(TraceBuffer::new());
        let other = {
            let ring = ring.clone();
            thread::spawn(move || {
                let ring: &TraceRing = &ring;
                ring.claim(64)
            })
        };
        let ring: &TraceRing = &ring;
        let mine = ring.claim(128);
        assert!(mine != other.join().unwrap());
        assert_eq!(ring.claim(128), mine);
    });
}
