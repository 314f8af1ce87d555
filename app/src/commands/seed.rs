//! `seed --demo`: a small shop that a page or curl can show. Through the ports, like everybody else; what is there
//! already stays as it is.

use super::{Failure, introduce, say, shop};
use crate::{
    modules::{Background, Modules},
    settings::Settings,
};
use bus::{Bus, PortError, Role, Sources};
use inventory_ports::{Actor, CreateProduct, InventoryError, NewVariant, ProductStatus};
use kernel::{Currency, Money, ProductId, Sku, UserId};
use std::{process::ExitCode, time::Duration};
use tokio::time::Instant;
use users_ports::{ChangeRole, RegisterUser, Secret, UsersError};
use uuid::Uuid;

/// The ids of the demo's products and accounts begin here: the same at each seeding, so that each is made once.
const IDS: u128 = 0x0190_0000_0000_7000_8000_c1ea_5e00_0000;

pub(super) async fn run(settings: &Settings) -> Result<ExitCode, Failure> {
    let modules = Modules::start(settings, Background::Rests).await?;
    let shown = introduce(modules.first_admin.as_ref());
    let seeded = match shown {
        Ok(()) => seed(modules.bus(), modules.sources()).await,
        Err(error) => Err(error),
    };
    modules.stop(Instant::now() + Duration::from_secs(10)).await;
    seeded.map(|()| ExitCode::SUCCESS)
}

async fn seed(bus: &Bus, sources: &Sources) -> Result<(), Failure> {
    if bus.has("inventory") {
        let (mut made, mut there) = (0, 0);
        for (number, item) in (1..).zip(shop::PRODUCTS) {
            if product(bus, ProductId(Uuid::from_u128(IDS + number)), item).await? {
                made += 1;
            } else {
                there += 1;
            }
        }
        say(format_args!("{made} products added, {there} were there"))?;
    }
    if bus.has("users") {
        account(bus, sources, "staff@cleave.local", "Sam of the staff", Role::Staff, 1).await?;
        account(bus, sources, "customer@cleave.local", "Cleo the customer", Role::Customer, 2).await?;
    }
    Ok(())
}

/// Puts a product on sale; `false` where it is already.
async fn product(bus: &Bus, product_id: ProductId, item: &shop::Product) -> Result<bool, Failure> {
    let known = bus.call(inventory_ports::GetProduct { product_id, active_only: false }).await;
    match known {
        Ok(_) => return Ok(false),
        Err(InventoryError::ProductNotFound) => {}
        Err(error) => return Err(refused("inventory", &error)),
    }
    let variants = item.variants.iter().map(|variant| {
        let sku: Sku =
            variant.sku.parse().map_err(|error| Failure::Refused(format!("{}: {error}", variant.sku)))?;
        Ok(NewVariant {
            sku,
            title: variant.title.map(str::to_owned),
            price: Money::new(variant.cents, Currency::EUR),
            on_hand: variant.on_hand,
        })
    });
    let request = CreateProduct {
        product_id,
        title: item.title.to_owned(),
        description: item.description.to_owned(),
        status: ProductStatus::Active,
        variants: variants.collect::<Result<_, Failure>>()?,
        actor: Actor::System,
    };
    match bus.call(request).await {
        Ok(_) => Ok(true),
        // Somebody sells them under another product: the shop has them.
        Err(InventoryError::SkuTaken { .. }) => Ok(false),
        Err(error) => Err(refused("inventory", &error)),
    }
}

/// Registers somebody and shows the password once; says so where they are registered.
async fn account(
    bus: &Bus,
    sources: &Sources,
    email: &str,
    name: &str,
    role: Role,
    number: u128,
) -> Result<(), Failure> {
    let user_id = UserId(Uuid::from_u128(IDS + 0x1000 + number));
    let known = bus.call(users_ports::GetUser { user_id }).await;
    match known {
        Ok(user) => {
            // A seeding that was cut short between the two may be finished.
            if user.role < role {
                promote(bus, sources, user_id, role).await?;
            }
            return say(format_args!("{email} is registered"));
        }
        Err(UsersError::NotFound) => {}
        Err(error) => return Err(refused("users", &error)),
    }
    let password = one_time_password();
    let request = RegisterUser {
        user_id,
        email: email.to_owned(),
        name: name.to_owned(),
        password: Secret::new(password.as_str()),
        client: None,
    };
    match bus.call(request).await {
        Ok(_) => {}
        Err(UsersError::EmailTaken) => return say(format_args!("{email} is registered")),
        Err(error) => return Err(refused("users", &error)),
    }
    if role != Role::Customer {
        promote(bus, sources, user_id, role).await?;
    }
    say(format_args!(
        "{email} ({}) has the password {password}",
        if role == Role::Staff { "staff" } else { "customer" }
    ))
}

async fn promote(bus: &Bus, sources: &Sources, user_id: UserId, role: Role) -> Result<(), Failure> {
    let request = ChangeRole { user_id, change_id: sources.id(), role, expected_version: None };
    bus.call(request).await.map(|_| ()).map_err(|error| refused("users", &error))
}

fn refused<E: PortError>(module: &str, error: &E) -> Failure {
    Failure::Refused(format!("{module}: {}", crate::chain(error)))
}

/// 80 random bits in letters and digits that are not mistaken for each other.
fn one_time_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz234567892";
    let random: [u8; 16] = rand::random();
    random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}
