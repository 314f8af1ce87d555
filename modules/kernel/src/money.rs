//! Money as an integer of minor units with its ISO 4217 currency; every sum is checked.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An ISO 4217 currency code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", extend("pattern" = "^[A-Z]{3}$", "examples" = ["EUR"])))]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// A text that is no currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is an ISO 4217 code of three capital letters")]
pub struct InvalidCurrency;

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        // Three ASCII letters by construction.
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimals the currency's minor unit has (ISO 4217, list one): 2 unless listed here.
    #[must_use]
    pub fn exponent(self) -> u32 {
        match self.code() {
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
            | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
            "CLF" | "UYW" => 4,
            _ => 2,
        }
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(InvalidCurrency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(text: String) -> Result<Self, InvalidCurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (cents for EUR, yen for JPY) of one currency. May be negative in a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// The currency of the minor units.
    pub currency: Currency,
}

/// Why a sum cannot be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The sum does not fit 64 bits.
    #[error("the amount is too large")]
    TooLarge,
    /// Two currencies met in one sum.
    #[error("{0} and {1} cannot be added")]
    MixedCurrencies(Currency, Currency),
}

impl Money {
    /// `amount` minor units.
    #[must_use]
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// Nothing, in this currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// The sum of two amounts.
    ///
    /// # Errors
    /// [`MoneyError`] where the currencies differ or the sum does not fit.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        self.amount
            .checked_add(other.amount)
            .map(|amount| Self::new(amount, self.currency))
            .ok_or(MoneyError::TooLarge)
    }

    /// What is left when `other` is taken away; may be negative.
    ///
    /// # Errors
    /// As [`Money::plus`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.same(other)?;
        self.amount
            .checked_sub(other.amount)
            .map(|amount| Self::new(amount, self.currency))
            .ok_or(MoneyError::TooLarge)
    }

    /// The amount `quantity` times.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] where it does not fit.
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        self.amount
            .checked_mul(i64::from(quantity))
            .map(|amount| Self::new(amount, self.currency))
            .ok_or(MoneyError::TooLarge)
    }

    /// Splits the amount by `weights` without losing or making a minor unit: each share is rounded
    /// down, and what is left goes, unit by unit, to the largest remainders (Hamilton's method; the
    /// earlier share where two are equal). All weights zero splits evenly.
    #[must_use]
    pub fn split(self, weights: &[u64]) -> Vec<Self> {
        if weights.is_empty() {
            return Vec::new();
        }
        let even = vec![1; weights.len()];
        let weights = if weights.iter().all(|w| *w == 0) { &even } else { weights };
        let sum: u128 = weights.iter().map(|w| u128::from(*w)).sum();
        let whole = u128::from(self.amount.unsigned_abs());
        // whole < 2^64 and a weight < 2^64: the product fits 128 bits.
        let mut shares: Vec<(u128, u128)> =
            weights.iter().map(|w| (whole * u128::from(*w) / sum, whole * u128::from(*w) % sum)).collect();
        let given: u128 = shares.iter().map(|(share, _)| share).sum();
        let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
        by_remainder.sort_by_key(|i| std::cmp::Reverse(shares[*i].1));
        for i in by_remainder.into_iter().take(usize::try_from(whole - given).unwrap_or(0)) {
            shares[i].0 += 1;
        }
        let sign = i128::from(self.amount.signum());
        shares
            .into_iter()
            .map(|(share, _)| {
                // A share is no larger than the whole, which came from an i64.
                let amount = i64::try_from(sign * i128::try_from(share).unwrap_or(0)).unwrap_or(0);
                Self::new(amount, self.currency)
            })
            .collect()
    }

    fn same(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::MixedCurrencies(self.currency, other.currency))
        }
    }
}

impl fmt::Display for Money {
    /// As a person reads it: `19.99 EUR`, `500 JPY`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent() as usize;
        let digits = format!("{:0width$}", self.amount.unsigned_abs(), width = exponent + 1);
        let (major, minor) = digits.split_at(digits.len() - exponent);
        let sign = if self.amount < 0 { "-" } else { "" };
        let dot = if exponent > 0 { "." } else { "" };
        write!(f, "{sign}{major}{dot}{minor} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, Currency::EUR)
    }

    #[test]
    fn amounts_read_as_people_write_them() {
        let yen = "JPY".parse().expect("a code");
        let dinar = "KWD".parse().expect("a code");
        assert_eq!(eur(1999).to_string(), "19.99 EUR");
        assert_eq!(eur(-5).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(500, yen).to_string(), "500 JPY");
        assert_eq!(Money::new(1, dinar).to_string(), "0.001 KWD");
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(eur(i64::MAX).plus(eur(1)), Err(MoneyError::TooLarge));
        assert_eq!(eur(i64::MAX / 2).times(3), Err(MoneyError::TooLarge));
        let usd = Money::new(1, "USD".parse().expect("a code"));
        assert!(matches!(eur(1).plus(usd), Err(MoneyError::MixedCurrencies(..))));
    }

    proptest! {
        /// F16: no minor unit is made or lost by a split, and no share is off by more than one.
        #[test]
        fn a_split_adds_up(amount in any::<i32>(), weights in prop::collection::vec(0u64..10_000, 1..20)) {
            let whole = eur(i64::from(amount));
            let shares = whole.split(&weights);
            prop_assert_eq!(shares.iter().map(|s| s.amount).sum::<i64>(), whole.amount);
            let sum: u64 = weights.iter().sum();
            if sum > 0 {
                for (share, weight) in shares.iter().zip(&weights) {
                    let exact = i128::from(whole.amount) * i128::from(*weight);
                    let off = (i128::from(share.amount) * i128::from(sum) - exact).unsigned_abs();
                    prop_assert!(off < u128::from(sum));
                }
            }
        }

        /// F16: line totals add up to the order's total for any cart.
        #[test]
        fn lines_add_up_to_the_total(lines in prop::collection::vec((0i64..1_000_000, 1u32..1000), 1..100)) {
            let mut total = eur(0);
            for (price, quantity) in &lines {
                total = total.plus(eur(*price).times(*quantity).expect("fits")).expect("fits");
            }
            prop_assert_eq!(total.amount, lines.iter().map(|(p, q)| p * i64::from(*q)).sum::<i64>());
        }
    }
}
