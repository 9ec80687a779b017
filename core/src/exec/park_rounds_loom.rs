//! Models of several sleeps in a row (PARK-1 to PARK-3): every post is taken, and no sleep rings twice.

use super::park_model_loom::{Bug, End, rounds};

const ELSE: &[End] = &[End::Else];

#[test]
fn one_post_each_is_taken_when_only_the_bell_wakes() {
    rounds(None, &[], [1, 1]);
}

#[test]
fn three_posts_are_taken_when_only_the_bell_wakes() {
    rounds(None, &[], [2, 1]);
}

#[test]
fn three_posts_are_taken_after_a_sleep_that_something_else_ends() {
    rounds(None, ELSE, [2, 1]);
}

#[test]
fn one_post_each_is_taken_after_two_sleeps_that_something_else_ends() {
    rounds(None, &[End::Else, End::Else], [1, 1]);
}

#[test]
fn a_bell_that_is_swallowed_before_the_next_announcement_is_not_missed() {
    rounds(None, &[End::ElseSwallow, End::Else], [1, 1]);
}

#[test]
fn a_bell_that_is_swallowed_between_three_posts_is_not_missed() {
    rounds(None, &[End::ElseSwallow], [2, 1]);
}

#[test]
fn the_parker_by_hand_holds_without_a_bug() {
    rounds(Some(Bug::None), ELSE, [1, 1]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_sleepers_fence_a_wake_is_lost() {
    rounds(Some(Bug::NoFenceOfSleeper), ELSE, [1, 1]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_posters_fence_a_wake_is_lost() {
    rounds(Some(Bug::NoFenceOfPoster), ELSE, [1, 1]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn without_the_second_look_a_wake_is_lost() {
    rounds(Some(Bug::NoSecondLook), ELSE, [1, 1]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_look_before_the_push_loses_a_wake() {
    rounds(Some(Bug::LookBeforePush), ELSE, [1, 1]);
}

#[test]
#[should_panic(expected = "two doorbells")]
fn a_flag_that_is_taken_by_a_store_rings_twice() {
    rounds(Some(Bug::TakesByStore), &[], [1, 1]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_poster_that_rings_before_it_takes_the_flag_clears_the_next_announcement() {
    rounds(Some(Bug::RingsBeforeItTakes), &[], [2]);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_bell_that_is_swallowed_after_the_announcement_is_missed() {
    rounds(Some(Bug::SwallowsAfterAnnouncing), &[], [1, 1]);
}
