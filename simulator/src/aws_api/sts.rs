//! STS: who asks. Everybody is the same user.

use serde_json::{Value, json};

use super::{failure::Failure, form::Form};
use crate::world::World;

pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(super) fn answer(world: &mut World, action: &str, _: &Form) -> Result<Value, Failure> {
    let account = &world.imported_aws().account;
    match action {
        "GetCallerIdentity" => Ok(json!({
            "UserId": "AIDANODEFERRYSIMULATED",
            "Account": account,
            "Arn": format!("arn:aws:iam::{account}:user/nodeferry"),
        })),
        _ => Err(unknown(action)),
    }
}

/// An action that is not simulated.
pub(super) fn unknown(action: &str) -> Failure {
    Failure::new(400, "InvalidAction", format!("The action {action} is not valid for this web service."))
}
