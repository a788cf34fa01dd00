//! Step 4, first half: an arriving node becomes a target when it can serve: Ready, its kube-proxy Ready, and every
//! load-balanced pod on it Ready.
//!
//! A fresh target may get flows before its first checks (aws.md section 5), so nothing relies on those. The mark stays
//! until the end and says that the node was admitted.

use std::ops::ControlFlow;

use crate::{
    action::{Action, Change, Kind, Poll, Step, Write},
    marks::{Changed, EXCLUDE, Marks},
    situation::{Progress, Seat, Side, Situation, patch, seat_of, wait},
    view::{Node, ObjectName, OwnerKind},
};

use super::surge::shed;

/// Whether every arriving node is what it was before we excluded it, but for those that are to lose a pod first.
pub(super) fn done(s: &Situation<'_>) -> Progress {
    let held = shed::designated(s);
    let excluded: Vec<&Seat<'_>> = s
        .side(Side::Arriving)
        .filter(|seat| exclusion(seat.node).is_some_and(|mark| mark.set != mark.was))
        .filter(|seat| held.iter().all(|other| other.node.meta.uid != seat.node.meta.uid))
        .collect();
    if excluded.is_empty() {
        return ControlFlow::Continue(());
    }
    let lacking = lacking(s);
    let actions: Vec<Action> = excluded
        .iter()
        .filter(|seat| reason(&lacking, seat).is_none())
        .map(|seat| Action { phase: "admit", write: admitted(seat.node) })
        .collect();
    if !actions.is_empty() {
        return ControlFlow::Break(Step::Act(actions));
    }
    let seat = excluded[0];
    let seen = reason(&lacking, seat).unwrap_or_default();
    let what = format!("node {} to serve", seat.node.meta.name.name);
    ControlFlow::Break(wait(
        "admit",
        what,
        seen,
        "Ready, kube-proxy and its load-balanced pods too",
        Poll::Nothing,
    ))
}

/// The patch that gives a node back to the load balancers, as it was before; the mark stays.
fn admitted(node: &Node) -> Write {
    let mut marks = Marks::of(&node.meta).cloned().unwrap_or_default();
    let Changed { was, set } = marks.excluded.take().unwrap_or(Changed { was: None, set: None });
    let ours = node.meta.labels.get(EXCLUDE) == set.as_ref();
    marks.excluded = Some(Changed { was: was.clone(), set: was.clone() });
    let mut changes = vec![marks.written()];
    if ours {
        changes.push(Change::Label(EXCLUDE.to_owned(), was));
    }
    patch(Kind::Node, &node.meta, changes)
}

pub(super) fn exclusion(node: &Node) -> Option<Changed<Option<String>>> {
    Marks::of(&node.meta)?.excluded.clone()
}

/// What each node lacks by its index among the seats: a Ready kube-proxy, or Ready pods.
fn lacking(s: &Situation<'_>) -> Vec<Option<String>> {
    let mut lacking: Vec<Option<String>> = match s.cluster.daemon_sets.get(&kube_proxy()) {
        Some(_) => vec![Some("kube-proxy is not Ready".to_owned()); s.seats.len()],
        // Something else routes in its place, without a pod that we know.
        None => vec![None; s.seats.len()],
    };
    for pod in s.cluster.pods.values() {
        let owner = pod.owner.as_ref();
        let proxies = owner.is_some_and(|o| o.kind == OwnerKind::DaemonSet && &*o.name == "kube-proxy");
        if proxies
            && pod.is_ready()
            && let Some(at) = pod.node.as_deref().and_then(|node| seat_of(&s.seats, node))
        {
            lacking[at] = None;
        }
    }
    for pod in s.cluster.pods.values().filter(|pod| pod.is_active() && !pod.is_ready()) {
        let Some(at) = pod.node.as_deref().and_then(|node| seat_of(&s.seats, node)) else { continue };
        if s.services_of(&pod.meta.name.namespace, &pod.meta.labels).next().is_some() {
            lacking[at] = Some(format!("pod {} is not Ready", pod.meta.name.name));
        }
    }
    lacking
}

fn reason(lacking: &[Option<String>], seat: &Seat<'_>) -> Option<String> {
    if seat.node.ready { lacking[seat.at].clone() } else { Some("not Ready".to_owned()) }
}

fn kube_proxy() -> ObjectName {
    ObjectName { namespace: "kube-system".into(), name: "kube-proxy".into() }
}
