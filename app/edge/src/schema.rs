//! How the shared words look in the OpenAPI document. Nothing here is used to read or write JSON.

use crate::FieldError;
use utoipa::{IntoParams, ToSchema};

/// Money in minor units. For fields: `#[schema(value_type = edge::schema::Money)]`.
#[derive(ToSchema)]
pub struct Money {
    /// Minor units: cents for EUR, yen for JPY.
    #[schema(example = 1999)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// What every error looks like (RFC 9457); codes add members of their own.
#[derive(ToSchema)]
pub struct Problem {
    /// A URI that names the code.
    pub r#type: String,
    /// The code as a sentence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable: what programs look at.
    #[schema(example = "insufficient_stock")]
    pub code: String,
    /// For people.
    pub detail: Option<String>,
    /// The path that was asked.
    pub instance: Option<String>,
    /// Quote it when asking for help.
    pub trace_id: String,
    /// Where a 422 has one: the fields that are wrong.
    pub errors: Option<Vec<FieldError>>,
}

/// The parameters of every list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u16>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}
