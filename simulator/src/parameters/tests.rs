use std::collections::BTreeSet;

use super::*;

/// The names of the AWS model sheet, section 9, in its order; rows that hold two values are split.
const MODEL_SHEET: &[&str] = &[
    "nlb.registration_delay",
    "nlb.dereg_propagation",
    "nlb.unhealthy_propagation",
    "nlb.initial_gets_traffic",
    "nlb.checks_to_first_healthy",
    "nlb.tcp_idle",
    "nlb.dereg_delay",
    "nlb.dereg_cut",
    "nlb.unhealthy_cut",
    "nlb.unhealthy_interval",
    "nlb.draining_unhealthy_cuts",
    "nlb.cross_zone",
    "nlb.dns_ttl",
    "ccm.workers",
    "ccm.ensure_time",
    "ccm.backoff",
    "lbc.reconciles",
    "lbc.backoff_max",
    "lbc.failover",
    "eks.create_to_active",
    "eks.config_update",
    "eks.delete_drain_cap",
    "eks.scale_in_drain_cap",
    "asg.terminate_heartbeat",
    "ec2.pending_to_running",
    "ec2.launch_to_ready",
    "ec2.os_shutdown_to_gone",
    "ca.asg_cache",
    "node.delete_after_gone",
];

#[track_caller]
fn check(assignment: &str, expected: Result<&str, &str>) {
    let mut parameters = Parameters::default();
    let name = assignment.split('=').next().unwrap_or_default().trim();
    match (parameters.set(assignment), expected) {
        (Ok(()), Ok(value)) => {
            assert_eq!(parameters.value(name).as_deref(), Some(value), "{assignment}");
            assert!(parameters.is_set(name), "{assignment}");
        }
        (Err(error), Err(text)) => {
            assert_eq!(error.to_string(), text, "{assignment}");
            assert_eq!(parameters, Parameters::default(), "{assignment}: a refused value changes nothing");
        }
        (result, expected) => panic!("{assignment}: {result:?}, expected {expected:?}"),
    }
}

#[test]
fn every_name_of_the_model_sheet_is_known() {
    for name in MODEL_SHEET {
        assert!(Parameters::describe().any(|parameter| parameter.name == *name), "{name}");
    }
}

#[test]
fn every_default_lies_within_its_limits_and_every_name_is_used_once() {
    let names: BTreeSet<&str> = Parameters::describe().map(|parameter| parameter.name).collect();
    assert_eq!(names.len(), REGISTRY.len());
    let defaults = Parameters::default().numbers();
    for (parameter, value) in Parameters::describe().zip(defaults) {
        assert!(parameter.low <= value && value <= parameter.high, "{parameter:?}");
        assert_eq!(value, parameter.default, "{parameter:?}: lost on its way through the field's type");
        assert_eq!(parameter.name.replace('.', "_"), parameter.field, "the field is the name");
        assert!(parameter.about.ends_with('.'), "{parameter:?}");
        assert!(!parameter.drawn || parameter.low < parameter.high, "{parameter:?}: nothing to draw");
        assert_eq!(parameter.name.split('.').count(), 2, "{parameter:?}");
    }
}

#[test]
fn a_world_without_settings_is_the_documented_one() {
    let parameters = Parameters::default();
    assert_eq!(parameters.nlb_dereg_propagation, 120_000);
    assert_eq!(parameters.nlb_checks_to_first_healthy, FirstHealthy::Threshold);
    assert!(
        parameters.nlb_unhealthy_cut && !parameters.nlb_initial_gets_traffic && !parameters.nlb_cross_zone
    );
    assert_eq!((parameters.ccm_workers, parameters.lbc_reconciles, parameters.hpa_tolerance), (1, 3, 100));
    assert_eq!(parameters.changed().count(), 0);
}

#[test]
fn values_are_read_in_any_unit_and_bare_numbers_in_their_own() {
    check("nlb.registration_delay=90s", Ok("90s"));
    check(
        "nlb.registration_delay=1500ms",
        Err("parameter `nlb.registration_delay` cannot be 1500ms; write a value from 15s to 5m"),
    );
    check("nlb.registration_delay=2m", Ok("2m"));
    check("nlb.registration_delay = 30", Ok("30s"));
    check("ccm.ensure_time=1500ms", Ok("1500ms"));
    check("kubelet.reaction=60", Ok("60ms"));
    check("import.age=1h", Ok("1h"));
    check("import.age=7d", Ok("7d"));
    check("nlb.cross_zone=true", Ok("true"));
    check("nlb.unhealthy_cut=false", Ok("false"));
    check("nlb.checks_to_first_healthy=1", Ok("1"));
    check("nlb.checks_to_first_healthy=threshold", Ok("threshold"));
    check("ccm.workers=10", Ok("10"));
    check("hpa.tolerance=50", Ok("50"));
}

#[test]
fn limits_come_in_pairs() {
    check("eks.delete_drain_cap=300s", Ok("5m"));
    check(
        "eks.delete_drain_cap=299999ms",
        Err("parameter `eks.delete_drain_cap` cannot be 299999ms; write a value from 5m to 15m"),
    );
    check("eks.delete_drain_cap=15m", Ok("15m"));
    check(
        "eks.delete_drain_cap=900001ms",
        Err("parameter `eks.delete_drain_cap` cannot be 900001ms; write a value from 5m to 15m"),
    );
    check("api.latency=1ms", Ok("1ms"));
    check("api.latency=0", Err("parameter `api.latency` cannot be 0; write a value from 1ms to 100ms"));
    check("ccm.workers=0", Err("parameter `ccm.workers` cannot be 0; write a value from 1 to 10"));
    check("ccm.workers=11", Err("parameter `ccm.workers` cannot be 11; write a value from 1 to 10"));
}

#[test]
fn what_cannot_be_a_value_is_refused_with_the_mend() {
    check("nlb.tcp_idle=-5", Err("parameter `nlb.tcp_idle`: `-5` is negative; a span is zero or longer"));
    check(
        "nlb.tcp_idle=NaN",
        Err("parameter `nlb.tcp_idle`: `NaN` is not a span; write one like 90s, 1500ms, 2m, 1h, 1d or 1h30m"),
    );
    check(
        "nlb.tcp_idle=99999999999999999999",
        Err("parameter `nlb.tcp_idle`: `99999999999999999999` is longer than 36500d, the longest span"),
    );
    check(
        "nlb.tcp_idle=",
        Err("parameter `nlb.tcp_idle`: a span is missing; write one like 90s, 1500ms, 2m, 1h or 1d"),
    );
    check("ccm.workers=-1", Err("parameter `ccm.workers` cannot be `-1`; write a whole number"));
    check(
        "ccm.workers=99999999999999999999",
        Err("parameter `ccm.workers` cannot be `99999999999999999999`; write a whole number"),
    );
    check(
        "ccm.workers=4294967297",
        Err("parameter `ccm.workers` cannot be 4294967297; write a value from 1 to 10"),
    );
    check(
        "hpa.tolerance=0.1",
        Err("parameter `hpa.tolerance` cannot be `0.1`; write a whole number of thousandths"),
    );
    check("nlb.cross_zone=yes", Err("parameter `nlb.cross_zone` cannot be `yes`; write true or false"));
    check(
        "nlb.checks_to_first_healthy=2",
        Err("parameter `nlb.checks_to_first_healthy` cannot be `2`; write 1 or threshold"),
    );
    check("nlb.tcp_idle", Err("`nlb.tcp_idle` is not NAME=VALUE; write it like nlb.registration_delay=90s"));
}

#[test]
fn an_unknown_name_is_answered_with_its_neighbours() {
    check(
        "nlb.registration_dely=90s",
        Err("there is no parameter `nlb.registration_dely`; did you mean `nlb.registration_delay`?"),
    );
    check("dereg_delay=90s", Err("there is no parameter `dereg_delay`; did you mean `nlb.dereg_delay`?"));
    check(
        "kubelet.back-off=90s",
        Err(
            "there is no parameter `kubelet.back-off`; did you mean `kubelet.backoff`, `kubelet.backoff_max` or \
         `kubelet.reaction`?",
        ),
    );
    check(
        "unheard=1",
        Err(
            "there is no parameter `unheard`; names begin with what they belong to, like nlb., eks., kubelet. or hpa.",
        ),
    );
    check(
        "=1",
        Err(
            "there is no parameter ``; names begin with what they belong to, like nlb., eks., kubelet. or hpa.",
        ),
    );
    let long = "x".repeat(100_000);
    assert!(matches!(
        Parameters::default().assign(&long, "1"),
        Err(ParameterError::Unknown { nearest, .. }) if nearest.is_empty()
    ));
}

#[test]
fn draws_stay_within_their_limits_and_reach_both_halves_of_them() {
    for class in [Class::Uncertainty, Class::Configuration, Class::Hazard] {
        let mut halves = vec![[false; 2]; REGISTRY.len()];
        for seed in 0..500 {
            let mut parameters = Parameters::default();
            parameters.draw(Seed(seed), class);
            for (index, (parameter, value)) in Parameters::describe().zip(parameters.numbers()).enumerate() {
                if parameter.class != class || !parameter.drawn {
                    assert_eq!(value, parameter.default, "{parameter:?} was drawn");
                    continue;
                }
                assert!((parameter.low..=parameter.high).contains(&value), "{value}: {parameter:?}");
                halves[index][usize::from(value - parameter.low > (parameter.high - parameter.low) / 2)] =
                    true;
                let in_seconds = class == Class::Configuration && parameter.unit == Unit::Seconds;
                assert!(!in_seconds || value.is_multiple_of(S), "{value}: {parameter:?}");
            }
        }
        for (parameter, halves) in Parameters::describe().zip(halves) {
            assert!(parameter.class != class || !parameter.drawn || halves == [true; 2], "{parameter:?}");
        }
    }
}

#[test]
fn a_draw_depends_on_the_seed_alone_and_spares_what_was_set() {
    let draw = |seed, setting: &str| {
        let mut parameters = Parameters::default();
        parameters.set(setting).expect("a valid setting");
        parameters.draw(Seed(seed), Class::Uncertainty);
        parameters
    };
    let (one, other) = (draw(3, "ec2.launch_to_ready=45s"), draw(3, "ec2.launch_to_ready=90s"));
    assert_eq!((one.ec2_launch_to_ready, other.ec2_launch_to_ready), (45_000, 90_000));
    assert_eq!(Parameters { ec2_launch_to_ready: 45_000, ..other }, one, "a setting moves no other draw");
    assert_ne!(draw(4, "ec2.launch_to_ready=45s"), one);
    let set: Vec<(&str, String)> =
        one.explicitly_set().map(|(parameter, value)| (parameter.name, value)).collect();
    assert_eq!(set, [("ec2.launch_to_ready", "45s".to_owned())]);
}

#[test]
fn what_is_written_is_read_back() {
    for seed in 0..200 {
        let mut drawn = Parameters::default();
        drawn.draw(Seed(seed), Class::Uncertainty);
        drawn.draw(Seed(seed), Class::Configuration);
        drawn.draw(Seed(seed), Class::Hazard);
        let mut read = Parameters::default();
        for (parameter, value) in drawn.changed() {
            read.assign(parameter.name, &value).expect("a value that was drawn can be set");
        }
        assert_eq!(read.numbers(), drawn.numbers(), "seed {seed}");
    }
}
