use loadgen::chance::Seed;
use migrator::request::*;
use scenarios::scenario::*;
use simulator::{import, parameters::Parameters, world::World};
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let strategy = match args[1].as_str() {
        "single-move" => Strategy::SingleMove,
        "recipe" => Strategy::Recipe,
        _ => Strategy::RecipeDescaleFirst,
    };
    let from: u64 = args[2].parse().unwrap();
    let to: u64 = args[3].parse().unwrap();
    let draw = args.get(4).is_some_and(|a| !a.is_empty());
    let cluster = import::read_cluster("testdata/clusters/online-boutique.yaml".as_ref()).unwrap();
    for seed in from..to {
        let p = drawn(&Parameters::default(), Seed(seed), draw);
        let d = import::aws::LoadBalancerDefaults {
            tcp_idle: std::time::Duration::from_millis(p.nlb_tcp_idle),
            deregistration_delay: std::time::Duration::from_millis(p.nlb_dereg_delay),
            deregistration_cut: p.nlb_dereg_cut,
            unhealthy_cut: p.nlb_unhealthy_cut,
            unhealthy_interval: std::time::Duration::from_millis(p.nlb_unhealthy_interval),
            cross_zone: None,
        };
        let (aws, defaulted) = import::aws::complete(None, &cluster, &d).unwrap();
        if seed == from && !draw {
            println!("{defaulted:#?}");
        }
        let world = World::new(&cluster, &aws, p, Seed(seed)).unwrap();
        let request = Request {
            from: "blue".into(),
            to: "green".into(),
            strategy,
            adopt: false,
            keep_group: false,
            instance_types: vec![],
            min: None,
            max: None,
            desired: None,
            ami_type: None,
            subnets: vec![],
            accept: Default::default(),
            closes_at_sigterm: Default::default(),
            contracts: Default::default(),
            longest_silence: Default::default(),
            settings: Settings::default(),
        };
        let t = Instant::now();
        let run =
            run(&world, &Scenario { request, connections: 500, traffic: None, seed: Seed(seed) }).unwrap();
        let wall = t.elapsed();
        println!(
            "seed {seed} {:?} {:?} exposed {} events {} virtual {} wall {:?} digest {:032x} {:?}",
            run.verdict,
            run.why,
            run.exposed,
            run.world.events(),
            run.virtual_ms / 1000,
            wall,
            run.world.digest(),
            run.recorder.counts
        );
        if to == from + 1 || run.verdict != Verdict::Held {
            for f in &run.findings {
                println!("  {} {:?} {}: {} | {}", f.code.id(), f.severity, f.object, f.reason, f.fix);
            }
            for p in &run.promises {
                println!("  {} {} {}", p.name, p.held, p.detail);
            }
            if let Some(d) = &run.driven {
                println!("{:?} decisions {} {:?}", d.outcome, d.decisions, d.refusals);
                if to == from + 1 {
                    for s in &d.stretches {
                        println!(
                            "  {:>10} {:>10} {} x{} {:?}",
                            s.from_at,
                            s.until_at - s.from_at,
                            s.phase,
                            s.requests,
                            s.waited_for.as_ref().map(|w| (&w.what, &w.seen, &w.wanted))
                        );
                    }
                }
            }
            for drop in run.drops.iter().take(3) {
                println!("{drop:?}");
                for l in run.world.explain(drop.entry) {
                    println!("    <- {l}");
                }
            }
            if args.get(5).is_some() {
                for e in run.world.entries() {
                    println!("{}", run.world.line(e));
                }
            }
        }
    }
}
