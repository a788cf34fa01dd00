//! One profile server through a migration, for people to read.

use simulator::world::{Entry, ObjectKind, Subject, World, requests::Request};

use crate::{configuration::online_boutique, story::story};

#[test]
fn a_profile_server_moves_to_its_new_node() {
    let run = story("online boutique").given_export(&online_boutique(), 500).seed(7);
    let lines: Vec<String> = run
        .world
        .entries()
        .iter()
        .filter(|entry| is_about(&run.world, entry, "profile-gateway"))
        .map(|entry| run.world.line(entry).trim_end().to_owned())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

/// Whether an entry is about a Service, its workload, pods or targets, or a request about one of these.
fn is_about(world: &World, entry: &Entry, name: &str) -> bool {
    match entry.subject {
        Subject::Pod(pod) => world.pods().last(pod).meta.name.starts_with(name),
        Subject::Service(_) | Subject::Target(..) => world.subject(entry.subject).ends_with(name),
        Subject::Object(ObjectKind::Deployment | ObjectKind::ReplicaSet, _) => {
            world.subject(entry.subject).contains(name)
        }
        Subject::Request(request) => match world.request(request).2 {
            Request::Patch { name: object, .. } | Request::Evict { name: object, .. } => {
                object.1.starts_with(name)
            }
            _ => false,
        },
        _ => false,
    }
}
