//! Numbers and quantities that the API server would not have stored, refused at their field while an object is read.
//!
//! A deserializer around another one: it knows which field it is in, sees every number that passes, and every quantity
//! as such, whatever the kind. So one rule holds wherever a field of that name is, and every number has one. What is no
//! field of a type that is read (custom resources, newer fields) does not pass here.
//!
//! Source of the rules: `pkg/apis/*/validation/validation.go`; bounds of this program are named as such.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor,
    value::StringDeserializer,
};
use std::fmt;

use crate::world::is_quantity;

/// Longest time that a pod may take by itself, in seconds: a year.
///
/// A migration waits for it in the world's time, and what happens meanwhile is simulated: a year of the shipped example
/// is 80 million events, 25 s and 330 MB. Beyond it the time is no plan but a way to say "never".
pub const POD_SECONDS_MAX: i64 = 365 * 86_400;

/// Most pods that one object may ask for.
///
/// What a simulation takes grows with the square of the pods that find no room: 2,000 of one workload in the shipped
/// example take 2 s, 10,000 take 34 s.
pub const REPLICAS_MAX: i64 = 10_000;

/// What may be below zero: priorities, what a program returned, and times of which the API takes the negative for the
/// shortest.
const SIGNED: [&str; 7] = [
    "priority",
    "value",
    "exitCode",
    "signal",
    "tolerationSeconds",
    "terminationGracePeriodSeconds",
    "deletionGracePeriodSeconds",
];

/// Shares of a whole: a number, or a percentage.
const SHARES: [&str; 3] = ["maxSurge", "maxUnavailable", "minAvailable"];

/// Metrics as an autoscaler measured them, which may be below zero.
const MEASURED: [&str; 2] = ["averageValue", "value"];

/// Why a number cannot be the value of this field.
fn refused_number(field: &str, number: i64) -> Option<String> {
    let (least, most, of) = match field {
        "terminationGracePeriodSeconds"
        | "deletionGracePeriodSeconds"
        | "minReadySeconds"
        | "initialDelaySeconds"
        | "periodSeconds"
        // Of a preStop hook that sleeps.
        | "seconds" => (0, POD_SECONDS_MAX, " seconds (a year), the longest time that is simulated"),
        "replicas" | "minReplicas" | "parallelism" => {
            (0, REPLICAS_MAX, " pods, the most of one object that are simulated")
        }
        "containerPort" => (1, 65_535, ", the highest port"),
        "port" | "nodePort" | "hostPort" | "targetPort" | "healthCheckNodePort" => (0, 65_535, ", the highest port"),
        "maxReplicas" | "maxSkew" | "minDomains" => (1, i64::MAX, ""),
        _ => (0, i64::MAX, ""),
    };
    if number < least && !SIGNED.contains(&field) {
        return Some(format!("{number} is less than {least}"));
    }
    (number > most).then(|| format!("{number} is more than {most}{of}"))
}

/// Why a text cannot be a share.
fn refused_share(field: &str, text: &str) -> Option<String> {
    let digits = text.strip_suffix('%').unwrap_or("");
    let well = !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !SHARES.contains(&field) {
        return None;
    }
    if !well {
        return Some(format!("{text:?} is neither a number nor a percentage like 25%"));
    }
    let percent: u32 = digits.parse().unwrap_or(u32::MAX);
    (field != "maxSurge" && percent > 100).then(|| format!("{text} is more than 100%"))
}

/// Why a text cannot be a quantity.
fn refused_quantity(field: &str, text: &str) -> Option<String> {
    if !is_quantity(text) {
        return Some(format!("{text:?} is no quantity like 2, 0.5, 100m, 512Mi or 1e3"));
    }
    (text.starts_with('-') && !MEASURED.contains(&field)).then(|| format!("{text} is less than 0"))
}

/// Reads what `inner` reads, and refuses what the rules refuse.
pub(super) struct Checked<'f, D> {
    inner: D,
    field: &'f str,
}

impl<D> Checked<'static, D> {
    pub(super) fn new(inner: D) -> Checked<'static, D> {
        Checked { inner, field: "" }
    }
}

macro_rules! watched {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Watched { inner: visitor, field: self.field, share: false })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Checked<'_, D> {
    type Error = D::Error;

    watched! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq
        deserialize_map
    }

    /// A number or a text: labels and the like, which may have any name and value, are asked for as text.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(Watched { inner: visitor, field: self.field, share: true })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if name != "Quantity" {
            let visitor = Watched { inner: visitor, field: self.field, share: false };
            return self.inner.deserialize_newtype_struct(name, visitor);
        }
        let text = self.inner.deserialize_any(QuantityText)?;
        match refused_quantity(self.field, &text) {
            Some(why) => Err(D::Error::custom(why)),
            None => visitor.visit_newtype_struct(StringDeserializer::new(text)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(length, Watched { inner: visitor, field: self.field, share: false })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Watched { inner: visitor, field: self.field, share: false };
        self.inner.deserialize_tuple_struct(name, length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Watched { inner: visitor, field: self.field, share: false };
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_identifier(visitor)
    }

    /// What nobody reads is not checked.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }
}

/// The text of a quantity. The API server takes a number as if it were quoted.
struct QuantityText;

impl Visitor<'_> for QuantityText {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a quantity")
    }

    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_u64<E>(self, number: u64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Sees what is read before `inner` does.
struct Watched<'f, V> {
    inner: V,
    field: &'f str,
    /// Whether a text here is a share if the field's name says so.
    share: bool,
}

impl<V> Watched<'_, V> {
    fn number<E: Error>(&self, number: i64) -> Result<(), E> {
        refused_number(self.field, number).map_or(Ok(()), |why| Err(E::custom(why)))
    }

    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        let refused = if self.share { refused_share(self.field, text) } else { None };
        refused.map_or(Ok(()), |why| Err(E::custom(why)))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watched<'_, V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(out)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.inner.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<V::Value, E> {
        self.number(number)?;
        self.inner.visit_i64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<V::Value, E> {
        // One too large for any field is refused for its type.
        self.number(i64::try_from(number).unwrap_or(0))?;
        self.inner.visit_u64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<V::Value, E> {
        self.inner.visit_f64(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.text(text)?;
        self.inner.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.text(text)?;
        self.inner.visit_borrowed_str(text)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        self.text(&text)?;
        self.inner.visit_string(text)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Checked { inner, field: self.field })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Checked { inner, field: self.field })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Items { inner: items, field: self.field })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Fields { inner: fields, field: String::new() })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, variants: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(variants)
    }
}

/// Items of a list have the rules of the field that holds them.
struct Items<'f, A> {
    inner: A,
    field: &'f str,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Seed { inner, field: self.field })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Fields<A> {
    inner: A,
    /// The field whose value comes next.
    field: String,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Key { inner, seen: &mut self.field })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Seed { inner, field: &self.field })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Seed<'f, S> {
    inner: S,
    field: &'f str,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Checked { inner, field: self.field })
    }
}

/// Notes a key on its way.
struct Key<'k, S> {
    inner: S,
    seen: &'k mut String,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, keys: D) -> Result<S::Value, D::Error> {
        keys.deserialize_str(Word(self.seen))?;
        self.inner.deserialize(serde::de::value::StrDeserializer::new(self.seen))
    }
}

struct Word<'k>(&'k mut String);

impl Visitor<'_> for Word<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a field")
    }

    fn visit_str<E>(self, word: &str) -> Result<(), E> {
        self.0.clear();
        self.0.push_str(word);
        Ok(())
    }
}
