//! Two schemas, side by side.

use super::{Comparison, Role};
use crate::shape::{Kind, Object, Shape, Variants};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

pub(super) struct Schemas<'a> {
    found: &'a mut Comparison,
    old: &'a Value,
    new: &'a Value,
    role: Role,
    /// Pairs that are being compared further out: types may contain themselves.
    begun: BTreeSet<(*const Value, *const Value)>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(found: &'a mut Comparison, old: &'a Value, new: &'a Value, role: Role) -> Self {
        Self { found, old, new, role, begun: BTreeSet::new() }
    }

    fn breaks(&mut self, place: &str, reason: &str) {
        self.found.breaking.push(format!("{place}: {reason}"));
    }

    fn notes(&mut self, place: &str, reason: &str) {
        self.found.notices.push(format!("{place}: {reason}"));
    }

    pub(super) fn compare(&mut self, place: &str, was: &'a Value, is: &'a Value) {
        let pair = (std::ptr::from_ref(was), std::ptr::from_ref(is));
        if !self.begun.insert(pair) {
            return;
        }
        let (old, new) = (Shape::of(was, self.old), Shape::of(is, self.new));
        match (old.nullable, new.nullable, self.role) {
            (true, false, _) => self.breaks(place, "may be null no more"),
            (false, true, Role::Told) => {
                self.breaks(place, "may be null now, which the last version cannot read");
            }
            (false, true, Role::Request) => {
                self.notes(place, "may be null now: upgrade what serves before those who call it");
            }
            _ => {}
        }
        self.kinds(place, (was, old.kind), (is, new.kind));
        self.begun.remove(&pair);
    }

    fn kinds(&mut self, place: &str, (was, old): (&'a Value, Kind<'a>), (is, new): (&'a Value, Kind<'a>)) {
        match (old, new) {
            (Kind::Nothing, Kind::Nothing) | (Kind::Anything, Kind::Anything) => {}
            (Kind::Scalar(old), Kind::Scalar(new)) if name(old) == name(new) => self.bounds(place, old, new),
            (Kind::Words(old), Kind::Words(new)) => self.unions(place, &plain(old), &plain(new)),
            (Kind::List(old_items, old), Kind::List(new_items, new)) => {
                self.bounds(place, old, new);
                self.compare(&format!("{place}/*"), old_items, new_items);
            }
            (Kind::Object(old), Kind::Object(new)) => self.objects(place, &old, &new),
            (Kind::Words(old), Kind::Union(new)) => self.unions(place, &plain(old), &new),
            (Kind::Union(old), Kind::Words(new)) => self.unions(place, &old, &plain(new)),
            (Kind::Union(old), Kind::Union(new)) => self.unions(place, &old, &new),
            (Kind::Opaque(old), Kind::Opaque(new)) => {
                if old != new {
                    self.breaks(place, "has changed in a way that this check cannot judge");
                }
            }
            (old, new) => {
                let (before, after) = (text(&old, was), text(&new, is));
                self.breaks(place, &format!("was {before}, is {after}"));
            }
        }
    }

    fn unions(&mut self, place: &str, old: &Variants<'a>, new: &Variants<'a>) {
        for (name, was) in old {
            match (was, new.get(name)) {
                (_, None) => self.breaks(place, &format!("the variant {name} was removed")),
                (Some(was), Some(Some(is))) => self.compare(&format!("{place}<{name}>"), was, is),
                (None, Some(None)) => {}
                _ => self.breaks(place, &format!("the variant {name} has another form")),
            }
        }
        for added in new.keys().filter(|name| !old.contains_key(*name)) {
            let first = match self.role {
                Role::Request => "what serves before those who call it",
                Role::Told => "whoever reads it before those who write it",
            };
            self.notes(place, &format!("the variant {added} is new: upgrade {first}"));
        }
    }

    fn objects(&mut self, place: &str, old: &Object<'a>, new: &Object<'a>) {
        for (name, was) in &old.fields {
            match new.fields.get(name) {
                None => self.breaks(place, &format!("the field {name} was removed")),
                Some(is) => self.compare(&format!("{place}/{name}"), was, is),
            }
        }
        for name in new.required.difference(&old.required) {
            let reason = match old.fields.contains_key(name) {
                true => format!("the field {name} must be there now"),
                false => format!("the field {name} is new and must be there"),
            };
            self.breaks(place, &format!("{reason}, which the last version does not know"));
        }
        for name in old.required.difference(&new.required).filter(|name| new.fields.contains_key(*name)) {
            self.notes(
                place,
                &format!("the field {name} may be missing now: keep writing it for an upgrade"),
            );
        }
        for name in new.fields.keys().filter(|name| old.closed && !old.fields.contains_key(*name)) {
            let reason =
                format!("the field {name} is new, and the last version refuses what it does not know");
            self.breaks(place, &reason);
        }
        if new.closed && !old.closed {
            self.breaks(place, "unknown fields are refused now");
        }
    }

    /// Formats, patterns, and how much there may be.
    fn bounds(&mut self, place: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        for key in ["format", "pattern", "uniqueItems"] {
            if old.get(key) != new.get(key) {
                let shown = |value: Option<&Value>| value.map_or("none".to_owned(), ToString::to_string);
                let (was, is) = (shown(old.get(key)), shown(new.get(key)));
                self.breaks(place, &format!("its {key} was {was}, is {is}"));
            }
        }
        for (key, is_floor) in [
            ("minimum", true),
            ("minLength", true),
            ("minItems", true),
            ("maximum", false),
            ("maxLength", false),
            ("maxItems", false),
        ] {
            let bound = |fields: &Map<String, Value>| fields.get(key).and_then(Value::as_f64);
            let (was, is) = (bound(old), bound(new));
            let narrower = match (was, is) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(was), Some(is)) => {
                    if is_floor {
                        is > was
                    } else {
                        is < was
                    }
                }
            };
            if narrower {
                self.breaks(place, &format!("its {key} is narrower than before"));
            } else if was != is {
                self.notes(place, &format!("its {key} is wider than before: upgrade whoever reads it first"));
            }
        }
    }
}

/// Variants that are words.
fn plain<'a>(words: BTreeSet<&str>) -> Variants<'a> {
    words.into_iter().map(|word| (word.to_owned(), None)).collect()
}

fn name(fields: &Map<String, Value>) -> Option<&str> {
    match fields.get("type")? {
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        name => name.as_str(),
    }
}

fn text(kind: &Kind<'_>, schema: &Value) -> String {
    match kind {
        Kind::Nothing => "nothing".into(),
        Kind::Anything => "anything".into(),
        Kind::Scalar(fields) => name(fields).unwrap_or("a value").to_owned(),
        Kind::Words(_) => "one of some words".into(),
        Kind::List(..) => "a list".into(),
        Kind::Object(_) => "an object".into(),
        Kind::Union(_) => "one of several".into(),
        Kind::Opaque(_) => schema.to_string(),
    }
}
