//! The clients' queue against an ordered set.

use std::collections::BTreeSet;

use loadgen::chance::Seed;

use super::{ClientQueue, ConnectionId, Time};

/// Lets clients have turns, the first first, and moves others about, with waits drawn below `longest`.
#[track_caller]
fn check(clients: u32, longest: Time) {
    let mut stream = Seed(longest).stream("turns");
    let (mut queue, mut model) = (ClientQueue::default(), BTreeSet::new());
    let mut due = Vec::new();
    for client in (0..clients).map(ConnectionId) {
        let at = stream.below(longest.min(10_000));
        queue.push(at, client);
        due.push(at);
        model.insert((at, client));
    }
    let mut before = 0;
    for _ in 0..100_000 {
        let (now, client) = *model.first().expect("every client has an entry");
        assert_eq!((queue.next_at(), queue.first()), (Some(now), Some((now, client))));
        let other = ConnectionId(stream.below(u64::from(clients)) as u32);
        let mut move_to = |client: ConnectionId, at: Time| {
            model.remove(&(due[client.index()], client));
            due[client.index()] = at;
            model.insert((at, client));
            queue.move_to(client, at);
        };
        if other != client && stream.chance(1, 10) {
            // Something happens between two turns.
            move_to(other, before + 1 + stream.below(now - before + 1));
            continue;
        }
        before = now;
        move_to(client, now + 1 + stream.below(longest));
    }
}

#[test]
fn clients_have_their_turns_in_the_order_of_time_and_slot() {
    for longest in [1, 3, 300, 30_000] {
        check(1, longest);
        check(50, longest);
        check(3_000, longest);
    }
}

#[test]
fn waits_may_be_longer_than_the_blocks_reach() {
    // 17 minutes are one turn of the blocks.
    for longest in [1_000_000, 1_100_000, 5_000_000, 1 << 23] {
        check(1, longest);
        check(50, longest);
    }
}

#[test]
fn nobody_has_no_turn() {
    assert_eq!(ClientQueue::default().first(), None);
}
