//! Whole migrations of the shipped example in the wire gear, from a parsed world to the verdict: every decision through the
//! production shell, every request through HTTP in process. Beside it the same in the core gear, in the same run.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use loadgen::chance::Seed;
use migrator::request::Request;
use scenarios::{
    scenario::{Scenario, Verdict, run, run_wire},
    wire::Disturbances,
};
use simulator::{import, parameters::Parameters, world::World};

const EXPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/clinic.yaml");
const AWS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/clinic-aws.json");

fn clinic(criterion: &mut Criterion) {
    let cluster = import::read_cluster(EXPORT.as_ref()).expect("the example is an export");
    let file = std::fs::read(AWS).expect("the example has an AWS file");
    let file = import::aws::parse_aws(AWS, &file).expect("the example's AWS file can be read");
    let defaults = import::aws::LoadBalancerDefaults::default();
    let (aws, _) = import::aws::complete(Some(file), &cluster, &defaults).expect("they fit each other");
    let world =
        World::new(&cluster, &aws, Parameters::default(), Seed(0)).expect("its selectors can be read");
    let scenario = |seed: u64| Scenario {
        request: Request::new("blue", "green"),
        connections: 100,
        traffic: None,
        seed: Seed(seed % 200),
    };
    let mut group = criterion.benchmark_group("clinic/single-move/100");
    group.measurement_time(Duration::from_secs(10)).sample_size(20);
    let mut seed = 0;
    group.bench_function("wire", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let run = run_wire(&world, &scenario(seed), &mut [], Disturbances::default());
            let run = run.expect("the request fits the cluster");
            assert_ne!(run.verdict, Verdict::Broken, "seed {}", seed % 200);
            run.world.events()
        });
    });
    let mut seed = 0;
    group.bench_function("core", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let run = run(&world, &scenario(seed)).expect("the request fits the cluster");
            assert_ne!(run.verdict, Verdict::Broken, "seed {}", seed % 200);
            run.world.events()
        });
    });
    group.finish();
}

criterion_group!(benches, clinic);
criterion_main!(benches);
