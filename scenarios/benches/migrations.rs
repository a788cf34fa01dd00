//! Whole migrations of the online boutique, from a parsed world to the verdict: single-move, 500 connections. Then the most
//! memory that the process has held beyond the parsed world: a run, its twin and what watches them.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use loadgen::chance::Seed;
use migrator::request::Request;
use scenarios::scenario::{Scenario, Verdict, run};
use simulator::{import, parameters::Parameters, world::World};

#[path = "support/memory.rs"]
mod memory;
use memory::peak_memory;

const EXPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/clusters/online-boutique.yaml");

#[expect(clippy::print_stdout, reason = "a benchmark reports")]
fn online_boutique(criterion: &mut Criterion) {
    let cluster = import::read_cluster(EXPORT.as_ref()).expect("the test data is an export");
    let defaults = import::aws::LoadBalancerDefaults::default();
    let (aws, _) = import::aws::complete(None, &cluster, &defaults).expect("it needs no AWS file");
    let world =
        World::new(&cluster, &aws, Parameters::default(), Seed(0)).expect("its selectors can be read");
    let before = peak_memory();
    let mut seed = 0;
    let mut group = criterion.benchmark_group("migration");
    group.measurement_time(Duration::from_secs(10)).sample_size(30);
    group.bench_function("online-boutique/single-move/500", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let scenario = Scenario {
                request: Request::new("blue", "green"),
                connections: 500,
                traffic: None,
                seed: Seed(seed % 200),
            };
            let run = run(&world, &scenario).expect("the request fits the cluster");
            assert_eq!(run.verdict, Verdict::Held, "seed {}", seed % 200);
            run.world.events()
        });
    });
    group.finish();
    if let (Some(before), Some(most)) = (before, peak_memory()) {
        println!("memory of a migration: {} kB", most - before);
    }
}

criterion_group!(benches, online_boutique);
criterion_main!(benches);
