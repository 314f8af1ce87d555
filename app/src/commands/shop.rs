//! What the demo shop sells.

/// A product.
pub(super) struct Product {
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) variants: &'static [Variant],
}

/// One form of it.
pub(super) struct Variant {
    pub(super) sku: &'static str,
    pub(super) title: Option<&'static str>,
    pub(super) cents: i64,
    pub(super) on_hand: i64,
}

const fn one(sku: &'static str, cents: i64, on_hand: i64) -> Variant {
    Variant { sku, title: None, cents, on_hand }
}

const fn form(sku: &'static str, title: &'static str, cents: i64, on_hand: i64) -> Variant {
    Variant { sku, title: Some(title), cents, on_hand }
}

pub(super) const PRODUCTS: &[Product] = &[
    Product {
        title: "Stoneware Mug",
        description: "Thrown by hand, 350 ml, glazed inside and out. Dishwasher safe.",
        variants: &[
            form("MUG-BLUE", "Blue", 1490, 120),
            form("MUG-SAND", "Sand", 1490, 80),
            form("MUG-BLACK", "Black", 1590, 60),
        ],
    },
    Product {
        title: "Pour-Over Coffee Dripper",
        description: "Porcelain cone for one to two cups, with forty paper filters.",
        variants: &[one("DRIPPER-01", 2450, 45)],
    },
    Product {
        title: "House Espresso, Whole Bean",
        description: "Washed Guatemala and natural Ethiopia, roasted every Tuesday.",
        variants: &[form("ESPRESSO-250", "250 g", 950, 200), form("ESPRESSO-1000", "1 kg", 3290, 90)],
    },
    Product {
        title: "Linen Apron",
        description: "Washed linen with crossed straps and two deep pockets.",
        variants: &[form("APRON-OLIVE", "Olive", 4900, 30), form("APRON-INK", "Ink", 4900, 25)],
    },
    Product {
        title: "Chef's Knife, 20 cm",
        description: "Carbon steel, 60 HRC, with a handle of smoked oak. Comes with a saya.",
        variants: &[one("KNIFE-CHEF-20", 12900, 18)],
    },
    Product {
        title: "Cast Iron Skillet",
        description: "Pre-seasoned and good for a hundred years. For every stove, and the fire.",
        variants: &[form("SKILLET-20", "20 cm", 3490, 40), form("SKILLET-26", "26 cm", 4990, 40)],
    },
    Product {
        title: "Olive Wood Cutting Board",
        description: "Cut from one piece, oiled, 40 × 22 cm. No two are alike.",
        variants: &[one("BOARD-OLIVE", 3890, 35)],
    },
    Product {
        title: "Merino Socks",
        description: "Knitted in Portugal from mulesing-free merino.",
        variants: &[
            form("SOCKS-S", "36–39", 1690, 75),
            form("SOCKS-M", "40–43", 1690, 110),
            form("SOCKS-L", "44–47", 1690, 65),
        ],
    },
    Product {
        title: "Dotted Notebook A5",
        description: "192 numbered pages of 90 g paper that takes ink, lying flat when open.",
        variants: &[form("NOTEBOOK-GREY", "Grey", 1850, 150), form("NOTEBOOK-RUST", "Rust", 1850, 140)],
    },
    Product {
        title: "Brass Fountain Pen",
        description: "Solid brass, steel nib, for cartridges and converters. Darkens with the years.",
        variants: &[form("PEN-FINE", "Fine", 6400, 22), form("PEN-MEDIUM", "Medium", 6400, 26)],
    },
    Product {
        title: "Beeswax Candle",
        description: "Pure beeswax, burns some forty hours.",
        variants: &[one("CANDLE-01", 1290, 95)],
    },
    Product {
        title: "Gift Card",
        description: "For those who would rather choose themselves.",
        variants: &[form("GIFT-25", "25 €", 2500, 10_000), form("GIFT-50", "50 €", 5000, 10_000)],
    },
];
