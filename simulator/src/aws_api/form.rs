//! Parameters of the query protocol: `Filter.1.Name=...&Filter.1.Value.1=...`.

use std::collections::BTreeMap;

use crate::http::{Request, parameters};

/// Members of a list beyond which nobody's request goes; more are left out. Source: the APIs take 1,000 ids at most.
const MEMBERS_MAX: usize = 1_000;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn of(request: &Request) -> Form {
        let body = parameters(&String::from_utf8_lossy(&request.body));
        Form(request.query.iter().cloned().chain(body).collect())
    }

    /// A value; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Members of a list: `name.1`, `name.2`, as EC2 writes them, or `name.member.1` as the others do.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.prefixes(name).iter().map_while(|prefix| self.0.get(prefix).map(String::as_str)).collect()
    }

    /// What the names of the members of a list begin with.
    pub(super) fn prefixes(&self, name: &str) -> Vec<String> {
        let style = [format!("{name}.member"), name.to_owned()]
            .into_iter()
            .find(|style| self.has(&format!("{style}.1")));
        let Some(style) = style else { return Vec::new() };
        (1..=MEMBERS_MAX)
            .map(|index| format!("{style}.{index}"))
            .take_while(|prefix| self.has(prefix))
            .collect()
    }

    /// Whether there is a parameter of this name, or below it.
    fn has(&self, name: &str) -> bool {
        self.below(name).next().is_some() || self.0.contains_key(name)
    }

    /// Parameters below a name, by what follows it.
    pub(super) fn below(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = format!("{name}.");
        let from = self.0.range(prefix.clone()..);
        from.map_while(move |(key, value)| Some((key.strip_prefix(&prefix)?, value.as_str())))
    }

    /// Tags of a list of `{Key, Value}`.
    pub(super) fn tags(&self, name: &str) -> BTreeMap<String, String> {
        let pair = |prefix: &String| {
            let key = self.text(&format!("{prefix}.Key"))?;
            Some((key.to_owned(), self.text(&format!("{prefix}.Value")).unwrap_or_default().to_owned()))
        };
        self.prefixes(name).iter().filter_map(pair).collect()
    }
}
