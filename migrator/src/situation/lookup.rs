//! A table of names, made once per decision: thousands of pods and targets ask where their node stands, and a search by
//! comparing names costs ten times as much.

/// Indexes by name.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    /// At the place that a name's hash points to, or the next free one after it. A power of two, at most half full.
    places: Vec<Option<(&'a str, u32)>>,
}

impl<'a> Lookup<'a> {
    /// A table of these names; the first of two that are equal counts.
    pub(crate) fn new(names: impl ExactSizeIterator<Item = (&'a str, usize)>) -> Lookup<'a> {
        let mut table = Lookup { places: vec![None; (names.len() * 2).next_power_of_two()] };
        for (name, index) in names {
            let at = table.place_of(name);
            table.places[at].get_or_insert((name, u32::try_from(index).expect("a view is smaller")));
        }
        table
    }

    /// The index of a name.
    pub(crate) fn get(&self, name: &str) -> Option<usize> {
        self.places[self.place_of(name)].map(|(_, index)| index as usize)
    }

    /// Where a name is, or would be put.
    fn place_of(&self, name: &str) -> usize {
        let mask = self.places.len() - 1;
        let mut at = hash(name) as usize & mask;
        while self.places[at].is_some_and(|(own, _)| own != name) {
            at = (at + 1) & mask;
        }
        at
    }
}

/// Eight bytes at a time; only the place of a name depends on it, never an order.
fn hash(name: &str) -> u64 {
    let mixed = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let hash = mixed(hash, rest);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::Lookup;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> =
            (0..1_000).map(|n| format!("ip-10-0-{}-{}.ec2.internal", n / 256, n % 256)).collect();
        let table = Lookup::new(names.iter().enumerate().map(|(index, name)| (name.as_str(), index)));
        for (index, name) in names.iter().enumerate() {
            assert_eq!(table.get(name), Some(index));
        }
        assert_eq!(table.get("ip-10-0-4-0.ec2.internal"), None);
        assert_eq!(Lookup::new([].into_iter()).get(""), None);
    }

    #[test]
    fn of_two_equal_names_the_first_counts() {
        let table = Lookup::new([("a", 1), ("b", 2), ("a", 3)].into_iter());
        assert_eq!((table.get("a"), table.get("b")), (Some(1), Some(2)));
    }
}
