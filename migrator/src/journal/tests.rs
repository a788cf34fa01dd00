use super::{Course, Event, Journal, Status, recorded_plan, wish};
use crate::{
    decide::tests::fake::{Fake, request},
    plan::Plan,
    request::Strategy,
};

#[test]
fn the_whole_table_of_states_and_events() {
    let stopped = |course| Status::Stopped { course, reason: "no room".to_owned() };
    let states = [
        Status::Running { course: Course::Forward },
        Status::Running { course: Course::Committed },
        Status::Running { course: Course::Back },
        Status::Paused { course: Course::Forward },
        Status::Paused { course: Course::Committed },
        Status::Paused { course: Course::Back },
        stopped(Course::Forward),
        stopped(Course::Committed),
        stopped(Course::Back),
        Status::Finished,
        Status::RolledBack,
    ];
    let events = [
        Event::Paused,
        Event::Resumed,
        Event::RollbackRequested,
        Event::Committed,
        Event::Stopped("no room".to_owned()),
        Event::Completed,
    ];
    let shown = |status: &Status| match status {
        Status::Running { course } => format!("running {course:?}"),
        Status::Paused { course } => format!("paused {course:?}"),
        Status::Stopped { course, .. } => format!("stopped {course:?}"),
        Status::Finished | Status::RolledBack => status.word().to_owned(),
    };
    let mut lines =
        vec![format!("{:18}{}", "", events.each_ref().map(|e| format!("{:18}", e.word())).concat())];
    for state in states {
        let cells = events.each_ref().map(|event| match state.clone().on(event.clone()) {
            Ok(next) => format!("{:18}", shown(&next)),
            Err(illegal) => {
                assert_eq!((&illegal.status, &illegal.event), (&state, event), "both come back unchanged");
                format!("{:18}", "-")
            }
        });
        lines.push(format!("{:18}{}", shown(&state), cells.concat()));
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_plan_comes_back_from_the_journal_as_it_was_under_another_clock() {
    let mut fake = Fake::new(2).deployment("shop", "web", 2, 600).service("shop", "web", true, false);
    let plan = Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    assert!(fake.apply(&crate::action::Action {
        phase: "begin",
        write: Journal::begin(&plan).first_write(&plan, None)
    }));
    let object = fake.view.journal.clone().unwrap();
    let other = recorded_plan(&object, "boot-2").unwrap();
    assert_eq!(other, Plan { boot_id: "boot-2".into(), ..plan.clone() });

    // Taken up by its id, whatever the request says and however the cluster looks by now.
    fake.view.pods.clear();
    let again = Plan::new("p1", "boot-2", &request(Strategy::Recipe), &fake.view, fake.now);
    assert_eq!(again, other);
    assert_ne!(Plan::new("p2", "boot-2", &request(Strategy::Recipe), &fake.view, fake.now), other);
}

#[test]
fn a_journal_that_cannot_be_read_names_the_key() {
    let mut fake = Fake::new(1);
    let plan = Plan::new("p1", "boot-1", &request(Strategy::SingleMove), &fake.view, fake.now);
    assert!(fake.apply(&crate::action::Action {
        phase: "begin",
        write: Journal::begin(&plan).first_write(&plan, None)
    }));
    let mut object = (*fake.view.journal.clone().unwrap()).clone();
    object.data.edit(|data| _ = data.insert("status".to_owned(), "half".to_owned()));
    assert_eq!(Journal::read(&object).unwrap_err().key, "status");
    assert!(wish(&object, Event::Paused).is_err());
}
