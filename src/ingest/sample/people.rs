//! The sample's users. All names are invented.

use serde::Serialize;

use super::SEED;
use super::dice::{Dice, Stream};
use super::text::{Phrases, escape_api, slug};

/// User ids start where nobody has been.
const FIRST_USER: u32 = 90_000_000;

/// A user beside a post, the API's `shallow_user`.
#[derive(Debug, Serialize)]
pub struct Owner {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reputation: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<u32>,
    user_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accept_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

/// Returns a user by number: the same one every time, and low numbers have written most.
pub fn owner(phrases: &Phrases, number: u32) -> Owner {
    let mut dice = Dice::new(SEED, Stream::Person, u64::from(number));
    let (first, last) = names(phrases, &mut dice);
    if dice.permille(28) {
        // Deleted: no id is left, and not always a name.
        let display_name = dice.percent(90).then(|| format!("user{}", FIRST_USER + number));
        return Owner {
            account_id: None,
            reputation: None,
            user_id: None,
            user_type: "does_not_exist",
            accept_rate: None,
            display_name,
            link: None,
        };
    }
    let registered = !dice.permille(9);
    let name = format!("{first} {last}");
    let id = FIRST_USER + number;
    Owner {
        account_id: Some(70_000_000 + number),
        reputation: Some(if registered {
            1 + u32::try_from(dice.seconds(1_900, 900)).unwrap_or(0) % 900_000
        } else {
            1
        }),
        user_id: Some(id),
        user_type: if registered { "registered" } else { "unregistered" },
        accept_rate: dice.percent(22).then(|| 20 + dice.below(81)),
        display_name: Some(escape_api(&name)),
        link: Some(format!("https://stackoverflow.com/users/{id}/{}", slug(&name))),
    }
}

/// Returns what others call a user in a comment.
pub fn first_name(phrases: &Phrases, number: u32) -> String {
    names(phrases, &mut Dice::new(SEED, Stream::Person, u64::from(number))).0.to_string()
}

fn names(phrases: &Phrases, dice: &mut Dice) -> (&'static str, &'static str) {
    (phrases.pick("first", dice), phrases.pick("last", dice))
}
