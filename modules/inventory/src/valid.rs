//! What a request must be to make sense, whoever sends it.

use inventory_ports::{
    AdjustStock, CreateProduct, InvalidField, InventoryError, NewVariant, Quote, StockLine, UpdateProduct,
};
use kernel::{Money, Sku};
use std::collections::{BTreeMap, BTreeSet};

/// No shelf has more; sums of it stay far from the end of 64 bits.
pub(crate) const MOST_ON_HAND: i64 = 1_000_000_000_000;
/// How many variants a product has at most.
pub(crate) const MOST_VARIANTS: usize = 100;
const LONGEST_TITLE: usize = 200;
const LONGEST_DESCRIPTION: usize = 10_000;
const LONGEST_REASON: usize = 500;
const MOST_SKUS: usize = 1000;

/// Collects everything that is wrong, to say it at once.
#[derive(Default)]
pub(crate) struct Faults(Vec<InvalidField>);

impl Faults {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, code: &str, detail: impl Into<String>) {
        self.0.push(InvalidField { pointer: pointer.into(), code: code.into(), detail: detail.into() });
    }

    pub(crate) fn into_result(self) -> Result<(), InventoryError> {
        if self.0.is_empty() { Ok(()) } else { Err(InventoryError::Invalid { errors: self.0 }) }
    }

    /// A text of 1 to `longest` characters. PostgreSQL keeps no NUL, so nobody does.
    fn text(&mut self, pointer: impl Into<String>, text: &str, longest: usize) {
        if text.trim().is_empty() || text.chars().count() > longest || text.contains('\0') {
            self.add(pointer, "invalid_value", format!("1 to {longest} characters, and no NUL"));
        }
    }

    fn description(&mut self, text: &str) {
        if text.chars().count() > LONGEST_DESCRIPTION || text.contains('\0') {
            let detail = format!("at most {LONGEST_DESCRIPTION} characters, and no NUL");
            self.add("/description", "invalid_value", detail);
        }
    }

    fn price(&mut self, i: usize, price: Money) {
        if price.amount < 0 {
            self.add(format!("/variants/{i}/price/amount"), "invalid_value", "zero or more");
        }
    }

    fn on_hand(&mut self, i: usize, on_hand: i64) {
        if !(0..=MOST_ON_HAND).contains(&on_hand) {
            self.add(format!("/variants/{i}/on_hand"), "invalid_value", format!("0 to {MOST_ON_HAND}"));
        }
    }

    fn skus<'a>(&mut self, skus: impl Iterator<Item = &'a Sku>) {
        let mut seen = BTreeSet::new();
        for (i, sku) in skus.enumerate() {
            if !seen.insert(sku) {
                self.add(format!("/variants/{i}/sku"), "invalid_value", "given twice");
            }
        }
        if seen.len() > MOST_VARIANTS {
            self.add("/variants", "invalid_value", format!("at most {MOST_VARIANTS}"));
        }
    }
}

pub(crate) fn create(request: &CreateProduct) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    faults.text("/title", &request.title, LONGEST_TITLE);
    faults.description(&request.description);
    if request.variants.is_empty() {
        faults.add("/variants", "invalid_value", "at least one");
    }
    faults.skus(request.variants.iter().map(|variant| &variant.sku));
    for (i, NewVariant { title, price, on_hand, .. }) in request.variants.iter().enumerate() {
        if let Some(title) = title {
            faults.text(format!("/variants/{i}/title"), title, LONGEST_TITLE);
        }
        faults.price(i, *price);
        faults.on_hand(i, *on_hand);
    }
    faults.into_result()
}

pub(crate) fn update(request: &UpdateProduct) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    if let Some(title) = &request.title {
        faults.text("/title", title, LONGEST_TITLE);
    }
    if let Some(description) = &request.description {
        faults.description(description);
    }
    faults.skus(request.variants.iter().map(|variant| &variant.sku));
    for (i, variant) in request.variants.iter().enumerate() {
        if let Some(title) = &variant.title {
            faults.text(format!("/variants/{i}/title"), title, LONGEST_TITLE);
        }
        if let Some(price) = variant.price {
            faults.price(i, price);
        }
        if let Some(on_hand) = variant.on_hand {
            faults.on_hand(i, on_hand);
        }
    }
    faults.into_result()
}

pub(crate) fn adjust(request: &AdjustStock) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    if request.delta == 0 || request.delta.unsigned_abs() > MOST_ON_HAND.unsigned_abs() {
        faults.add("/delta", "invalid_value", format!("not zero, and at most {MOST_ON_HAND} either way"));
    }
    faults.text("/reason", &request.reason, LONGEST_REASON);
    faults.into_result()
}

pub(crate) fn quote(request: &Quote) -> Result<(), InventoryError> {
    let mut faults = Faults::default();
    if request.skus.len() > MOST_SKUS {
        faults.add("/skus", "invalid_value", format!("at most {MOST_SKUS}"));
    }
    faults.into_result()
}

/// F2: lines of one SKU count together. One line for each SKU, sorted by it.
pub(crate) fn summed(lines: &[StockLine]) -> Result<Vec<StockLine>, InventoryError> {
    let mut faults = Faults::default();
    let mut sums: BTreeMap<&Sku, u32> = BTreeMap::new();
    if lines.is_empty() || lines.len() > MOST_SKUS {
        faults.add("/lines", "invalid_value", format!("1 to {MOST_SKUS}"));
    }
    for (i, line) in lines.iter().enumerate() {
        let sum = sums.entry(&line.sku).or_default();
        match sum.checked_add(line.quantity) {
            Some(more) if line.quantity > 0 => *sum = more,
            _ => faults.add(format!("/lines/{i}/quantity"), "invalid_value", "more than none, and countable"),
        }
    }
    faults.into_result()?;
    Ok(sums.into_iter().map(|(sku, quantity)| StockLine { sku: sku.clone(), quantity }).collect())
}

/// A reason as the ledger keeps it.
pub(crate) fn reason(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F2: two lines of one SKU are one demand.
    #[test]
    fn lines_of_one_sku_count_together() {
        let line = |sku: &str, quantity| StockLine { sku: sku.parse().expect("a SKU"), quantity };
        let sums = summed(&[line("B", 2), line("A", 1), line("B", 3)]);
        assert_eq!(sums, Ok(vec![line("A", 1), line("B", 5)]));
        assert!(summed(&[line("A", u32::MAX), line("A", 1)]).is_err());
    }
}
