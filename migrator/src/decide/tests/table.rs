use super::fake::{Fake, request};
use crate::{
    action::{Step, Write},
    decide::decide,
    journal::{Event, wish},
    plan::Plan,
    request::Strategy,
    view::NodeGroupStatus,
};

/// What happens to a cluster between two decisions.
type Happening = fn(&mut Fake, &mut Plan);

const EVENTS: [(&str, Happening); 11] = [
    ("nothing", |_, _| {}),
    ("new node lost", |fake, _| lose(fake, "green", Fake::fail_node)),
    ("old node lost", |fake, _| lose(fake, "blue", Fake::fail_node)),
    ("new pod lost", |fake, _| lose_pod(fake, "green")),
    ("old pod lost", |fake, _| lose_pod(fake, "blue")),
    ("scale changed", |fake, _| fake.scale("web", 7)),
    ("lock lost", |_, plan| plan.boot_id = "boot-2".into()),
    ("crash", |fake, plan| {
        plan.boot_id = "boot-2".into();
        fake.hand_over("boot-2");
    }),
    ("group failed", |fake, _| {
        if fake.aws.node_groups.contains_key("green") {
            fake.set_status("green", NodeGroupStatus::CreateFailed);
        }
    }),
    ("pause", |fake, _| hear(fake, Event::Paused)),
    ("rollback", |fake, _| hear(fake, Event::RollbackRequested)),
];

fn lose(fake: &mut Fake, group: &str, how: fn(&mut Fake, &str)) {
    let node = fake.view.nodes.keys().find(|node| node.starts_with(group)).cloned();
    node.into_iter().for_each(|node| how(fake, &node));
}

fn lose_pod(fake: &mut Fake, group: &str) {
    let on =
        |node: &Option<_>| node.as_ref().is_some_and(|node: &std::sync::Arc<str>| node.starts_with(group));
    let pod = fake
        .view
        .pods
        .values()
        .find(|pod| &*pod.meta.name.namespace == "shop" && on(&pod.node) && pod.is_active());
    let pod = pod.map(|pod| pod.meta.name.clone());
    pod.into_iter().for_each(|pod| fake.lose_pod(&pod));
}

/// A user's wish, as far as the journal takes it.
fn hear(fake: &mut Fake, event: Event) {
    let object = fake.view.journal.clone().unwrap();
    if let Ok(write) = wish(&object, event) {
        assert!(fake.apply(&crate::action::Action { phase: "wish", write }));
    }
}

/// A step in few words: what is done `!`, what is noted in the journal, what is waited for.
fn word(step: &Step) -> String {
    match step {
        Step::Act(actions) if matches!(actions[0].write, Write::Journal { .. }) => {
            format!("note {}", actions[0].phase)
        }
        Step::Act(actions) if actions.len() == 1 => format!("{}!", actions[0].phase),
        Step::Act(actions) => format!("{}! x{}", actions[0].phase, actions.len()),
        Step::Wait(wait) => wait.for_what.phase.to_owned(),
        Step::Finished(outcome) => format!("end: {outcome:?}"),
    }
}

/// The rows of one run: every step that is not like an earlier one, and what each event makes of it.
fn rows(title: &str, mut fake: Fake, mut plan: Plan, table: &mut Vec<Vec<String>>) {
    let mut seen = Vec::new();
    loop {
        let step = decide(&plan, &fake.view, fake.now);
        let row = word(&step);
        // Notes in the journal and the lock change nothing by themselves.
        let quiet = matches!(&step, Step::Act(actions) if matches!(actions[0].write, Write::Journal { .. } | Write::Lease { .. }));
        if !quiet && !seen.contains(&row) && fake.view.journal.is_some() {
            let mut cells = vec![format!("{title} {row}")];
            for (_, happen) in EVENTS {
                let (mut branch, mut other) = (fake.clone(), plan.clone());
                happen(&mut branch, &mut other);
                let cell = word(&decide(&other, &branch.view, branch.now));
                cells.push(if cell == row { "=".to_owned() } else { cell });
            }
            table.push(cells);
            seen.push(row);
        }
        if fake.step(&plan).is_some() {
            return;
        }
        plan.boot_id = "boot-1".into();
    }
}

#[test]
fn the_whole_table_of_steps_and_events() {
    let cluster = || {
        Fake::new(2)
            .deployment("kube-system", "coredns", 2, 30)
            .deployment("shop", "web", 2, 600)
            .service("shop", "web", true, false)
            .stateful_set("shop", "db", 2, 30)
    };
    let plan = |fake: &Fake| Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    let mut table = vec![
        [&["step"][..], &EVENTS.map(|(event, _)| event)].concat().into_iter().map(str::to_owned).collect(),
    ];
    let fake = cluster();
    rows("forward", fake.clone(), plan(&fake), &mut table);

    // Back from the moment at which everything old is released.
    let mut fake = cluster();
    let plan = plan(&fake);
    while !fake.log.iter().any(|line| line.contains("cost")) {
        assert!(fake.step(&plan).is_none());
    }
    hear(&mut fake, Event::RollbackRequested);
    rows("back", fake, plan, &mut table);

    let widths: Vec<usize> = (0..table[0].len())
        .map(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap())
        .collect();
    let lines: Vec<String> = table
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}
