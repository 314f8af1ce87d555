//! From a JSON value to a type, saying where it failed and never what was there.
//!
//! serde_json's own errors echo values (`invalid type: string "4111…"`) and know lines, not pointers; so the
//! value is walked by a deserialiser whose errors carry codes and the way back to the root.

use crate::{FieldError, json::pointer_step};
use serde::{
    de::{
        DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer,
        MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};
use serde_json::Value;
use std::fmt;

/// Reads `T` out of a JSON body.
pub(crate) fn from_json<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    T::deserialize(Node { value, text: false }).map_err(Fault::into_field)
}

/// Reads `T` out of names and texts, where a number is a text that reads as one.
pub(crate) fn from_texts<T: DeserializeOwned>(texts: Vec<(String, String)>) -> Result<T, FieldError> {
    let map = texts.into_iter().map(|(name, text)| (name, text.into())).collect();
    T::deserialize(Node { value: Value::Object(map), text: true }).map_err(Fault::into_field)
}

/// What failed, and the way to it, innermost step first.
#[derive(Debug)]
struct Fault {
    code: &'static str,
    detail: String,
    way: Vec<String>,
}

impl Fault {
    fn new(code: &'static str, detail: String) -> Self {
        Self { code, detail, way: Vec::new() }
    }

    fn at(mut self, step: &str) -> Self {
        self.way.push(pointer_step(step));
        self
    }

    fn into_field(mut self) -> FieldError {
        self.way.reverse();
        FieldError::new(self.way.concat(), self.code, self.detail)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new("invalid_value", message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new("invalid_type", wanted(expected))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new("invalid_value", wanted(expected))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new("invalid_value", wanted(expected))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new("invalid_value", format!("expected one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new("unknown_field", "there is no such field".into()).at(field)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("missing_field", "this field is required".into()).at(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("invalid_value", "given twice".into()).at(field)
    }
}

/// What a visitor expects, in words that do not assume Rust.
fn wanted(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    let range = |low: i128, high: i128| format!("expected a whole number from {low} to {high}");
    match text.as_str() {
        "u8" => range(0, u8::MAX.into()),
        "u16" => range(0, u16::MAX.into()),
        "u32" => range(0, u32::MAX.into()),
        "u64" | "usize" => range(0, u64::MAX.into()),
        "i16" => range(i16::MIN.into(), i16::MAX.into()),
        "i32" => range(i32::MIN.into(), i32::MAX.into()),
        "i64" => range(i64::MIN.into(), i64::MAX.into()),
        "f64" | "f32" => "expected a number".into(),
        "a sequence" => "expected an array".into(),
        text if text.starts_with("struct ") || text == "a map" => "expected an object".into(),
        text if text.starts_with("enum ") => "expected one of its values".into(),
        text => format!("expected {text}"),
    }
}

struct Node {
    value: Value,
    /// Whether a text may stand for a number or a truth value.
    text: bool,
}

impl Node {
    fn mismatch(&self, expected: &dyn Expected) -> Fault {
        Fault::invalid_type(Unexpected::Other("something else"), expected)
    }
}

/// A scalar that may be given as text.
macro_rules! scalar {
    ($($method:ident => $visit:ident: $type:ty),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match &self.value {
                Value::String(text) if self.text => match text.parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(Fault::invalid_value(Unexpected::Other("text"), &visitor)),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.text;
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => {
                let mut items = Items { items: items.into_iter().enumerate(), text };
                let value = visitor.visit_seq(&mut items)?;
                match items.items.next() {
                    None => Ok(value),
                    Some(_) => Err(Fault::new("invalid_value", "too many elements".into())),
                }
            }
            Value::Object(map) => visitor.visit_map(Entries { entries: map.into_iter(), value: None, text }),
        }
    }

    scalar! {
        deserialize_bool => visit_bool: bool,
        deserialize_u8 => visit_u8: u8,
        deserialize_u16 => visit_u16: u16,
        deserialize_u32 => visit_u32: u32,
        deserialize_u64 => visit_u64: u64,
        deserialize_i8 => visit_i8: i8,
        deserialize_i16 => visit_i16: i16,
        deserialize_i32 => visit_i32: i32,
        deserialize_i64 => visit_i64: i64,
        deserialize_f32 => visit_f32: f32,
        deserialize_f64 => visit_f64: f64,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// serde would take an array for a struct, by position: a body is an object or it is wrong.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let text = self.text;
        match self.value {
            Value::String(variant) => visitor.visit_enum(Choice { variant, content: None }),
            Value::Object(map) if map.len() == 1 => match map.into_iter().next() {
                Some((variant, value)) => {
                    visitor.visit_enum(Choice { variant, content: Some(Node { value, text }) })
                }
                None => Err(Fault::invalid_type(Unexpected::Map, &visitor)),
            },
            value => Err(Node { value, text }.mismatch(&visitor)),
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
        ignored_any i128 u128
    }
}

struct Items {
    items: std::iter::Enumerate<std::vec::IntoIter<Value>>,
    text: bool,
}

impl<'de> SeqAccess<'de> for &mut Items {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((i, value)) = self.items.next() else { return Ok(None) };
        let node = Node { value, text: self.text };
        seed.deserialize(node).map(Some).map_err(|fault| fault.at(&i.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries {
    entries: serde_json::map::IntoIter,
    value: Option<(String, Value)>,
    text: bool,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key.clone(), value));
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Node { value, text: self.text }).map_err(|fault| fault.at(&key))
    }
}

struct Choice {
    variant: String,
    content: Option<Node>,
}

impl<'de> EnumAccess<'de> for Choice {
    type Error = Fault;
    type Variant = Content;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Content), Fault> {
        let variant = seed.deserialize(self.variant.clone().into_deserializer())?;
        Ok((variant, Content { variant: self.variant, node: self.content }))
    }
}

struct Content {
    variant: String,
    node: Option<Node>,
}

impl Content {
    fn node(self) -> Result<(String, Node), Fault> {
        let variant = self.variant;
        self.node
            .map(|node| (variant, node))
            .ok_or_else(|| Fault::new("invalid_type", "expected an object".into()))
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.node {
            None => Ok(()),
            Some(_) => Err(Fault::new("invalid_type", "expected a string".into())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let (variant, node) = self.node()?;
        seed.deserialize(node).map_err(|fault| fault.at(&variant))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        let (variant, node) = self.node()?;
        node.deserialize_any(visitor).map_err(|fault| fault.at(&variant))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (variant, node) = self.node()?;
        node.deserialize_any(visitor).map_err(|fault| fault.at(&variant))
    }
}

#[cfg(test)]
mod tests;
