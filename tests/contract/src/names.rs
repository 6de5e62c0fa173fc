//! The names that a type is read by: those that serde's derive hands to a reader. Nothing has to be written down twice.

use serde::de::{Deserialize, Deserializer, Error, Visitor, value};
use serde::forward_to_deserialize_any;

/// The fields of a struct, or the variants of an enum, as they appear in JSON.
///
/// # Panics
/// If the type is neither.
#[must_use]
pub fn names<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    let mut names = Vec::new();
    // It learns the names and refuses to go on.
    let _ = T::deserialize(Listener { names: &mut names });
    assert!(!names.is_empty(), "{} has no names", std::any::type_name::<T>());
    names
}

struct Listener<'a> {
    names: &'a mut Vec<&'static str>,
}

impl Listener<'_> {
    fn hear<T>(self, names: &[&'static str]) -> Result<T, value::Error> {
        self.names.extend_from_slice(names);
        Err(value::Error::custom("the names are known"))
    }
}

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.hear(fields)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.hear(variants)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(value::Error::custom("neither a struct nor an enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}
