//! The rows that are inserted; what is read is read by plain SQL, where a join says it shorter.

pub(crate) mod movement;
pub(crate) mod product;
pub(crate) mod product_word;
pub(crate) mod reservation;
pub(crate) mod variant;
