//! temp
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let r = simulator::import::read_cluster(std::path::Path::new(&path));
    match r {
        Ok(c) => println!(
            "{} objects, newest {}, notes {:?}",
            c.objects.len(),
            c.newest,
            c.notes.iter().take(5).collect::<Vec<_>>()
        ),
        Err(e) => println!("{}", e.to_string().chars().take(600).collect::<String>()),
    }
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", s.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
