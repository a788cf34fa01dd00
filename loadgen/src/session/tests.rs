use super::*;
use crate::profile::{Reconnect, Spread, default_cadence, default_pause};

fn profile() -> Profile {
    Profile {
        name: "shop/front".to_owned(),
        clients: 100,
        lifetime: Spread::secs(60, 3_600),
        pause: default_pause(),
        cadence: default_cadence(),
        sources: SourcePool::default(),
        reconnect: Reconnect::default(),
    }
}

#[test]
fn a_session_follows_from_its_identity_and_not_from_the_order_of_questions() {
    let schedule = Schedule::new(Seed(7), 2, &profile());
    let forwards: Vec<Session> = (0..50).map(|client| schedule.session(client, 3)).collect();
    let mut backwards: Vec<Session> =
        (0..50).rev().map(|client| session(Seed(7), 2, &profile(), client, 3)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_ne!(forwards[0], Schedule::new(Seed(8), 2, &profile()).session(0, 3), "another seed");
    assert_ne!(forwards[0], Schedule::new(Seed(7), 3, &profile()).session(0, 3), "another service");
    assert_eq!(schedule.session(5, 3).bits, Seed(7).hash(&[2, 5, 3]), "the documented hash");
}

#[test]
fn sessions_follow_each_other_by_lifetime_and_pause_alone() {
    let schedule = Schedule::new(Seed(1), 0, &profile());
    for client in 0..200 {
        let mut session = schedule.first(client);
        assert!(session.opens_at < RAMP_MS && session.lifetime >= 1 && session.lifetime <= 3_600_000);
        for _ in 0..20 {
            let next = schedule.next(&session);
            assert_eq!(next.opens_at, session.opens_at + session.lifetime + schedule.pause(&session));
            assert!((60_000..=3_600_000).contains(&next.lifetime), "{next:?}");
            assert!((1_000..=60_000).contains(&schedule.pause(&session)));
            assert!((5_000..=45_000).contains(&schedule.cadence(&session)));
            assert!((32_768..=60_999).contains(&session.source_port()));
            session = next;
        }
    }
}

#[test]
fn the_first_sessions_are_what_is_left_of_sessions_met_at_random() {
    // L is uniform between 60 s and 3,600 s, the rest uniform in 0..=L: its mean is (60 + 3600) / 4 = 915 s. Its
    // standard deviation is below 770 s, so that the mean of 20,000 is within 5 * 770 / 141 = 27 s.
    let schedule = Schedule::new(Seed(11), 0, &profile());
    let clients = 20_000u64;
    let mean = (0..clients).map(|client| schedule.first(client as u32).lifetime).sum::<u64>() / clients;
    assert!((888_000..942_000).contains(&mean), "{mean} ms");
    // The second session is an ordinary one: log-uniform, mean (3600 - 60) / ln(60) = 864.6 s, deviation below 880 s.
    let mean = (0..clients).map(|client| schedule.session(client as u32, 1).lifetime).sum::<u64>() / clients;
    assert!((833_000..897_000).contains(&mean), "{mean} ms");
    // Openings are spread evenly over the ramp: 2,000 in each second, five standard deviations are about 212.
    let mut openings = [0u32; 10];
    for client in 0..clients {
        openings[(schedule.first(client as u32).opens_at / 1_000) as usize] += 1;
    }
    assert!(openings.iter().all(|&n| (1_788..2_212).contains(&n)), "{openings:?}");
}

#[test]
fn the_load_is_steady_from_the_ramp_on() {
    // Were first sessions drawn like all others, many would be short and the number of sessions that end per minute
    // would swing for an hour. 20,000 clients, mean cycle 864.6 s + 14.4 s: 1,365 ends a minute. All clients begin
    // connected, which takes a few minutes to settle; ten per cent on either side leave room for that and for noise.
    let schedule = Schedule::new(Seed(5), 0, &profile());
    let mut ends_per_10_minutes = [0u32; 6];
    for client in 0..20_000 {
        let mut session = schedule.first(client);
        while session.ends_at() < 3_600_000 {
            ends_per_10_minutes[(session.ends_at() / 600_000) as usize] += 1;
            session = schedule.next(&session);
        }
    }
    assert!(ends_per_10_minutes.iter().all(|&n| (12_300..15_000).contains(&n)), "{ends_per_10_minutes:?}");
}

#[test]
fn picks_are_even_and_independent_of_each_other() {
    let schedule = Schedule::new(Seed(2), 0, &profile());
    let mut joint = [[0u32; 3]; 3];
    for client in 0..90_000 {
        let session = schedule.first(client);
        joint[below(session.zone_pick(), 3) as usize][below(session.target_pick(), 3) as usize] += 1;
    }
    // 10,000 expected in each; five standard deviations are about 471.
    assert!(joint.iter().flatten().all(|&n| (9_529..10_471).contains(&n)), "{joint:?}");
}

#[test]
fn messages_are_due_by_arithmetic_and_end_with_the_session() {
    let schedule = Schedule::new(Seed(4), 0, &profile());
    let session = schedule.session(3, 1);
    let cadence = schedule.cadence(&session);
    let opens_at = session.opens_at;
    assert_eq!(schedule.next_message_at(&session, 0), Some(opens_at), "the first message is sent on opening");
    assert_eq!(schedule.next_message_at(&session, opens_at), Some(opens_at + cadence));
    assert_eq!(schedule.next_message_at(&session, opens_at + cadence - 1), Some(opens_at + cadence));
    assert_eq!(schedule.next_message_at(&session, opens_at + cadence), Some(opens_at + 2 * cadence));
    assert_eq!(schedule.next_message_at(&session, session.ends_at()), None);
    assert_eq!(schedule.last_message_at(&session, opens_at + cadence - 1), opens_at);
    assert_eq!(schedule.last_message_at(&session, opens_at + cadence), opens_at + cadence);
    assert_eq!(schedule.last_message_at(&session, 0), opens_at);
}

#[test]
fn a_client_keeps_its_address() {
    let schedule = Schedule::new(Seed(4), 0, &profile());
    let first = u32::from(SourcePool::default().first);
    assert!((0..10_000).all(|client| (first..first + (1 << 17)).contains(&schedule.source_address(client))));
    assert_eq!(schedule.source_address(9), schedule.source_address(9));
}

#[test]
fn limits_that_meet_or_vanish_still_give_sessions() {
    for (shortest, longest, expected) in [(0, 0, 1..=1), (5, 5, 5_000..=5_000), (9, 3, 9_000..=9_000)] {
        let profile = Profile { lifetime: Spread::secs(shortest, longest), ..profile() };
        let schedule = Schedule::new(Seed(1), 0, &profile);
        assert!(schedule.first(0).lifetime >= 1);
        assert!(expected.contains(&schedule.session(0, 1).lifetime), "{shortest}..{longest}");
    }
}
