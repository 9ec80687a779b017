//! Models of the inbox: every node comes out once, with what its pusher wrote.

use super::inbox::{Inbox, InboxClosed, Linked};
use crate::support_loom::{Plain, explore};
use core::ptr;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, Ordering};
use loom::thread;

struct Node {
    link: AtomicPtr<Node>,
    value: Plain,
}

// SAFETY: one cell, used by one inbox.
unsafe impl Linked for Node {
    unsafe fn link<'a>(node: *const Self) -> &'a AtomicPtr<Self> {
        // SAFETY: the caller's.
        unsafe { &(*node).link }
    }
}

struct Shared {
    inbox: Inbox<Node>,
    nodes: [Node; 3],
    outside: Plain,
}

impl Shared {
    fn new() -> Arc<Self> {
        let nodes =
            [0; 3].map(|value| Node { link: AtomicPtr::new(ptr::null_mut()), value: Plain::new(value) });
        Arc::new(Self { inbox: Inbox::new(), nodes, outside: Plain::new(0) })
    }

    fn push(&self, index: usize) -> Result<(), InboxClosed> {
        self.nodes[index].value.set(index as u32 + 1);
        // SAFETY: the nodes outlive the model's threads; each is pushed by one of them.
        unsafe { self.inbox.push(&self.nodes[index]) }
    }

    fn take(&self, into: &mut Vec<u32>) {
        into.extend(self.inbox.take_all().map(value));
    }
}

fn value(node: *const Node) -> u32 {
    // SAFETY: a taken node is live and the taker's.
    unsafe { &*node }.value.get()
}

#[test]
fn every_node_is_taken_once_and_in_each_pushers_order() {
    explore(|| {
        let shared = Shared::new();
        let one = {
            let shared = shared.clone();
            thread::spawn(move || {
                shared.push(0).unwrap();
                shared.push(1).unwrap();
            })
        };
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.push(2).unwrap())
        };
        let mut taken = Vec::new();
        shared.take(&mut taken);
        one.join().unwrap();
        other.join().unwrap();
        shared.take(&mut taken);
        let place = |value| taken.iter().position(|&v| v == value).expect("a node is lost");
        assert!(place(1) < place(2));
        place(3);
        assert_eq!(taken.len(), 3);
        assert!(shared.inbox.is_empty());
    });
}

/// The same shape, pushed by a store: a push that comes between the look and the store is lost.
#[test]
#[should_panic(expected = "a node is lost")]
fn a_push_by_store_loses_a_node() {
    explore(|| {
        let head = Arc::new(AtomicPtr::<u32>::new(ptr::null_mut()));
        let links = Arc::new([(); 2].map(|()| AtomicPtr::<u32>::new(ptr::null_mut())));
        // Nodes are named by the addresses 1 and 2.
        let push = |head: &AtomicPtr<u32>, links: &[AtomicPtr<u32>; 2], node: usize| {
            links[node - 1].store(head.load(Ordering::Acquire), Ordering::Relaxed);
            head.store(ptr::without_provenance_mut(node), Ordering::Release);
        };
        let other = {
            let (head, links) = (head.clone(), links.clone());
            thread::spawn(move || push(&head, &links, 1))
        };
        push(&head, &links, 2);
        other.join().unwrap();
        let mut count = 0;
        let mut at = head.load(Ordering::Acquire).addr();
        while at != 0 {
            count += 1;
            at = links[at - 1].load(Ordering::Relaxed).addr();
        }
        assert_eq!(count, 2, "a node is lost");
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_push_without_release_shows_a_node_before_its_contents() {
    explore(|| {
        let shared = Shared::new();
        let head = Arc::new(AtomicPtr::<Node>::new(ptr::null_mut()));
        let other = {
            let (shared, head) = (shared.clone(), head.clone());
            thread::spawn(move || {
                shared.nodes[0].value.set(1);
                head.store((&raw const shared.nodes[0]).cast_mut(), Ordering::Relaxed);
            })
        };
        let node = head.swap(ptr::null_mut(), Ordering::Acquire);
        if !node.is_null() {
            value(node);
        }
        other.join().unwrap();
    });
}

/// INBOX-1: a node may be pushed again as soon as it is handed out.
fn pushed_again(take: fn(&Shared, &mut dyn FnMut(*const Node))) {
    explore(move || {
        let shared = Shared::new();
        shared.push(0).unwrap();
        shared.push(1).unwrap();
        let mut taken = Vec::new();
        let mut again = None;
        take(&shared, &mut |node| {
            taken.push(value(node));
            if taken.len() == 1 {
                let shared = shared.clone();
                again = Some(thread::spawn(move || shared.push(0).unwrap()));
                thread::yield_now();
            }
        });
        again.unwrap().join().unwrap();
        shared.take(&mut taken);
        assert_eq!(taken, [1, 2, 1], "the chain broke");
    });
}

#[test]
fn a_node_may_be_pushed_again_while_the_chain_goes_on() {
    pushed_again(|shared, each| shared.inbox.take_all().for_each(each));
}

#[test]
#[should_panic(expected = "the chain broke")]
fn a_chain_that_reads_the_link_after_the_node_is_handed_out_breaks() {
    pushed_again(|shared, each| {
        let mut node = shared.inbox.take_all().next().unwrap_or(ptr::null());
        while !node.is_null() {
            each(node);
            // SAFETY: the nodes outlive the model.
            node = unsafe { &*node }.link.load(Ordering::Relaxed);
        }
    });
}

/// INBOX-2, and the closer's writes: whoever is refused acts in the closed owner's place.
#[test]
fn a_node_is_taken_by_the_closer_or_handed_back() {
    explore(|| {
        let shared = Shared::new();
        let pusher = {
            let shared = shared.clone();
            thread::spawn(move || {
                let refused = shared.push(0).is_err();
                if refused {
                    assert_eq!(shared.outside.get(), 5);
                }
                refused
            })
        };
        let mut taken = Vec::new();
        shared.take(&mut taken);
        shared.outside.set(5);
        taken.extend(shared.inbox.close().map(value));
        let refused = pusher.join().unwrap();
        assert_eq!(taken.len() + usize::from(refused), 1);
        assert!(shared.inbox.take_all().next().is_none());
        shared.inbox.open();
        assert!(shared.inbox.is_empty());
    });
}
