use super::*;

const SHORT: &str = "
- service: shop/front
  clients: 2000
  lifetime: { shortest: 1m, longest: 1h }
";

fn read(yaml: &str) -> Result<TrafficFile, String> {
    let file: TrafficFile = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    file.validate().map_err(|error| error.to_string())?;
    Ok(file)
}

#[track_caller]
fn refused(line: &str, expected: &str) {
    // The line replaces the one with the same key, or is added.
    let key = line.split(':').next().unwrap_or_default();
    let kept: Vec<&str> = SHORT
        .lines()
        .filter(|kept| !kept.trim_start_matches(['-', ' ']).starts_with(key) || kept.is_empty())
        .map(|kept| kept.trim_start_matches(['-', ' ']))
        .filter(|kept| !kept.is_empty())
        .collect();
    let yaml = format!("- {line}\n{}", kept.iter().map(|kept| format!("  {kept}\n")).collect::<String>());
    let error = read(&yaml).expect_err(line);
    assert!(error.contains(expected), "{line}: {error}");
}

#[test]
fn three_lines_suffice_and_the_rest_has_defaults() {
    let file = read(SHORT).expect("a valid file");
    let [entry] = file.entries.as_slice() else { panic!("one entry: {file:?}") };
    assert_eq!(entry.namespace_and_name(), Some(("shop", "front")));
    assert_eq!((entry.pause, entry.cadence), (Spread::secs(1, 60), Spread::secs(5, 45)));
    assert_eq!(
        (entry.reconnect, entry.at_sigterm),
        (Reconnect::default(), AtSigterm::ServeUntilClientsLeave)
    );
    assert_eq!(entry.profile().lifetime, Spread::secs(60, 3_600));
}

#[test]
fn the_documented_example_spells_the_defaults_out() {
    let documented = "
- service: shop/front
  clients: 2000
  lifetime: { shortest: 1m, longest: 1h }
  pause: { shortest: 1s, longest: 1m }
  cadence: { shortest: 5s, longest: 45s }
  reconnect: { backoff: immediate, budget: 1s }
  sources: { first: 198.18.0.0, count: 131072 }
  at_sigterm: serve
";
    assert_eq!(read(documented), read(SHORT));
}

#[test]
fn everything_that_can_be_written_is_read() {
    let file = read(
        "
- service: shop/front
  clients: 10
  lifetime: { shortest: 90s, longest: 1h30m }
  reconnect: { backoff: { fixed: { every: 2s } } }
  at_sigterm: close
- service: shop/front
  clients: 20
  lifetime: { shortest: 1ms, longest: 1ms }
  reconnect: { backoff: { exponential: { first: 100ms, longest: 30s } }, budget: 5s }
  at_sigterm: close
- service: shop/back
  clients: 1
  lifetime: { shortest: 1d, longest: 2d }
  at_sigterm: finish
",
    )
    .expect("a valid file");
    let backoffs: Vec<Backoff> = file.entries.iter().map(|entry| entry.reconnect.backoff).collect();
    assert_eq!(
        backoffs,
        [
            Backoff::Fixed { every: Duration::from_secs(2) },
            Backoff::Exponential {
                first: Duration::from_millis(100),
                longest: Duration::from_secs(30),
                jitter_percent: 50
            },
            Backoff::Immediate,
        ]
    );
    assert_eq!(file.entries[2].at_sigterm, AtSigterm::FinishWithNotice);
    let written = serde_saphyr::to_string(&file).expect("a file can be written");
    assert_eq!(read(&written).as_ref(), Ok(&file), "{written}");
}

#[test]
fn faults_name_the_entry_the_field_and_the_mend() {
    refused(
        "service: front",
        "entry 1 (front): service must be namespace/name in lower-case letters, digits and dashes, like shop/front",
    );
    refused("service: shop/Front", "service must be namespace/name");
    refused("service: shop/a/b", "service must be namespace/name");
    refused("clients: 0", "entry 1 (shop/front): clients is 0; write a number from 1 to 10000000");
    refused("clients: 10000001", "clients is 10000001; write a number from 1 to 10000000");
    refused(
        "lifetime: { shortest: 2h, longest: 1h }",
        "lifetime: shortest 2h is longer than longest 1h; swap them",
    );
    refused("lifetime: { shortest: 0s, longest: 1h }", "lifetime.shortest is 0s; write at least 1ms");
    refused("cadence: { shortest: 0s, longest: 1h }", "cadence.shortest is 0s; write at least 1ms");
    refused(
        "pause: { shortest: 9s, longest: 1s }",
        "pause: shortest 9s is longer than longest 1s; swap them",
    );
    refused("reconnect: { budget: 0s }", "reconnect.budget is 0s; write at least 1ms");
    refused(
        "reconnect: { backoff: { exponential: { first: 9s, longest: 1s } } }",
        "reconnect.backoff.exponential: shortest 9s is longer than longest 1s; swap them",
    );
    refused(
        "reconnect: { backoff: { exponential: { first: 1s, longest: 9s, jitter_percent: 101 } } }",
        "jitter_percent is 101; write a number from 0 to 100",
    );
    refused(
        "sources: { first: 255.255.255.254, count: 3 }",
        "sources: 3 addresses from 255.255.255.254 on do not exist; write a count from 1 to 2",
    );
}

#[test]
fn what_is_no_entry_is_refused_where_it_stands() {
    refused("lifetime: { shortest: 90, longest: 1h }", "`90` has no unit; write 90s, 90ms, 90m, 90h or 90d");
    refused("lifetime: { shortest: -1s, longest: 1h }", "`-1s` is negative; a span is zero or longer");
    refused("lifetime: { shortest: .nan, longest: 1h }", ".nan");
    refused("at_sigterm: ignore", "unknown variant `ignore`, expected one of");
    refused("life_time: { shortest: 1s, longest: 1h }", "unknown field `life_time`");
    refused("clients: -1", "clients");
    refused("clients: 99999999999", "clients");
}

#[test]
fn an_empty_list_is_a_slip() {
    assert_eq!(
        read("[]"),
        Err("the traffic file has no entry; write at least one with service, clients and lifetime".to_owned())
    );
}

#[test]
fn an_application_does_one_thing_at_sigterm() {
    let yaml = format!("{SHORT}{SHORT}  at_sigterm: close\n");
    assert_eq!(
        read(&yaml),
        Err("entry 2 (shop/front): at_sigterm differs from entry 1 of the same service; an application does one thing"
            .to_owned())
    );
}
