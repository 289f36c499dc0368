//! One suite of promises over every store: what `src/store/contract.rs` says, each store must do.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;
mod contract {
    pub(crate) mod counters;
    mod crash;
    mod face;
    mod faults;
    pub(crate) mod guards;
    pub(crate) mod limits;
    pub(crate) mod listing;
    pub(crate) mod members;
    mod mutants;
    pub(crate) mod secure;
    mod upkeep;
    pub(crate) mod watching;
    pub(crate) mod world;
}

/// Runs every case of the suite on the worlds that `$make` makes, as tests of their own.
macro_rules! suite {
    ($make:path: $($room:ident :: $case:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $case() {
                if let Some(world) = $make().await {
                    crate::contract::$room::$case(&world).await;
                }
            }
        )*
    };
}

/// The list of cases: written once, so that no store can skip one.
macro_rules! on_every_case {
    ($name:ident, $make:path) => {
        mod $name {
            suite! { $make:
                guards::absent_holds_only_while_the_key_is_missing,
                guards::at_holds_only_at_that_very_revision,
                guards::a_term_ends_when_somebody_writes_the_leader,
                guards::unchanged_sees_newer_puts_and_only_those,
                guards::unchanged_minds_where_a_prefix_ends,
                guards::unchanged_answers_for_the_distant_past,
                guards::guards_see_the_state_before_the_writes,
                guards::one_false_guard_writes_nothing,
                guards::of_many_commits_at_once_one_wins,
                limits::operations_up_to_the_limit_pass_and_one_more_does_not,
                limits::bytes_up_to_the_limit_pass_and_one_more_does_not,
                limits::a_key_is_written_once,
                limits::an_empty_transaction_is_a_fresh_read_of_its_guards,
                counters::counters_follow_puts_and_start_again_after_a_delete,
                counters::writes_of_one_commit_share_its_revision,
                counters::deleting_what_is_not_there_makes_no_revision,
                counters::revisions_only_grow,
                listing::a_listing_is_sorted_and_exact_about_its_prefix,
                listing::values_are_any_bytes,
                listing::a_listing_is_one_cut_while_writers_write,
                listing::a_listing_of_many_pages_is_one_cut,
                watching::a_revision_comes_whole_in_one_batch,
                watching::a_watch_from_the_past_shows_exactly_what_came_later,
                watching::a_watch_opened_amid_writes_has_no_gap,
                watching::a_watch_minds_its_prefix,
                watching::deletes_and_new_lives_are_told_apart,
                watching::a_large_revision_comes_whole,
                watching::a_dropped_watch_resumes_where_it_was,
                watching::compacted_history_is_refused,
                watching::a_revision_never_reached_is_refused,
                watching::an_idle_watch_tells_how_far_it_has_seen,
            }
        }
    };
}

on_every_case!(memory, crate::contract::world::memory);
on_every_case!(embedded, crate::contract::world::embedded);
on_every_case!(etcd, crate::contract::world::etcd);
on_every_case!(http, crate::contract::world::http);

/// What of the suite goes through other paths when etcd asks who we are.
macro_rules! on_some_cases {
    ($name:ident, $make:path) => {
        mod $name {
            suite! { $make:
                guards::guards_see_the_state_before_the_writes,
                guards::of_many_commits_at_once_one_wins,
                limits::bytes_up_to_the_limit_pass_and_one_more_does_not,
                limits::an_empty_transaction_is_a_fresh_read_of_its_guards,
                listing::a_listing_of_many_pages_is_one_cut,
                watching::a_watch_opened_amid_writes_has_no_gap,
                watching::compacted_history_is_refused,
                watching::an_idle_watch_tells_how_far_it_has_seen,
            }
        }
    };
}

on_some_cases!(etcd_over_tls, crate::contract::secure::over_tls);
on_some_cases!(etcd_with_users, crate::contract::secure::with_users);
on_some_cases!(etcd_of_three, crate::contract::members::three);
