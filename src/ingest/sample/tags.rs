//! The sample's tags: how many ask, when, how pleased they are, and what is asked together.

use super::DAYS;
use super::dice::Dice;

/// Days that a brand-new tag has been there: 20 weeks.
const NEW_SINCE: i64 = DAYS - 140;

/// How many questions in 100 have 1, 2, … 5 tags. Source: 2,148 real threads, 137/443/623/525/420.
const TAGS_PER_QUESTION: [u32; 5] = [6, 21, 29, 24, 20];

/// A tag.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Its name.
    pub name: &'static str,
    /// Which nouns, errors and code go with it.
    pub family: &'static str,
    /// From -3, annoying, to 3, pleasing.
    pub mood: i32,
    weight: [i64; 2],
    reach: [i64; 2],
    season: &'static str,
    companions: Vec<usize>,
}

/// Returns what `range` has become on `day` of the window.
fn on_day(range: [i64; 2], day: i64) -> i64 {
    range[0] + (range[1] - range[0]) * day / (DAYS - 1)
}

impl Tag {
    /// Returns how many of 100 questions get an answer.
    pub fn answered_percent(&self, day: i64) -> u32 {
        u32::try_from(on_day(self.reach, day)).unwrap_or(0)
    }

    /// Returns how much slower answers have become by `day`, in 256ths of a power of two.
    pub fn slower(&self, day: i64) -> i64 {
        (self.reach[0] - on_day(self.reach, day)) * 32
    }

    fn weight(&self, day: i64, month: i8) -> u32 {
        // Times ten, so that a trend of a small tag is no staircase.
        let weight = on_day([self.weight[0] * 10, self.weight[1] * 10], day);
        let weight = match self.season {
            "-" => weight,
            "new" if day < NEW_SINCE => 0,
            "new" => self.weight[1] * 10 * (day - NEW_SINCE + 20) / (DAYS - NEW_SINCE),
            months => weight * if months.split(',').any(|listed| listed.parse() == Ok(month)) { 2 } else { 1 },
        };
        u32::try_from(weight).unwrap_or(0)
    }
}

/// All tags.
#[derive(Clone, Debug)]
pub struct Tags(Vec<Tag>);

impl Tags {
    /// Reads the list in `tags.txt`.
    pub fn load() -> Self {
        let lines = include_str!("tags.txt").lines().filter(|line| !line.starts_with('#'));
        let parsed: Vec<(Tag, &str)> = lines.filter_map(parse).collect();
        let index = |name: &str| parsed.iter().position(|(tag, _)| tag.name == name);
        let with_companions = |(tag, names): &(Tag, &'static str)| Tag {
            companions: names.split_whitespace().filter_map(index).collect(),
            ..tag.clone()
        };
        Self(parsed.iter().map(with_companions).collect())
    }

    /// Returns the tag that a question names by this number.
    pub fn get(&self, number: u8) -> Option<&Tag> {
        self.0.get(usize::from(number))
    }

    /// Returns how likely each tag is to be the first of a question asked on `day`.
    pub fn weights(&self, day: i64, month: i8) -> Vec<u32> {
        self.0.iter().map(|tag| tag.weight(day, month)).collect()
    }

    /// Returns the numbers of one to five tags for a question, the main one first.
    pub fn draw(&self, weights: &[u32], dice: &mut Dice) -> Vec<u8> {
        let mut drawn = vec![dice.weighted(weights)];
        let wanted = dice.weighted(&TAGS_PER_QUESTION) + 1;
        // A few tries more than needed: companions repeat, and a small tag has few.
        for _ in 0..wanted * 3 {
            if drawn.len() == wanted {
                break;
            }
            let of = dice.choose(&drawn).copied().unwrap_or(0);
            let near = self.0.get(of).and_then(|tag| dice.choose(&tag.companions).copied());
            let next = near.filter(|_| dice.percent(88)).unwrap_or_else(|| dice.weighted(weights));
            if !drawn.contains(&next) && weights.get(next).is_some_and(|weight| *weight > 0) {
                drawn.push(next);
            }
        }
        drawn.into_iter().filter_map(|number| u8::try_from(number).ok()).collect()
    }
}

/// Returns the tag of a line and the names of its companions.
fn parse(line: &'static str) -> Option<(Tag, &'static str)> {
    let (about, companions) = line.split_once('|')?;
    let [name, family, from, to, mood, reach_from, reach_to, season] =
        about.split_whitespace().collect::<Vec<_>>().try_into().ok()?;
    let tag = Tag {
        name,
        family,
        mood: mood.parse().ok()?,
        weight: [from.parse().ok()?, to.parse().ok()?],
        reach: [reach_from.parse().ok()?, reach_to.parse().ok()?],
        season,
        companions: Vec::new(),
    };
    Some((tag, companions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_a_tag_with_known_companions() {
        let tags = Tags::load();
        let lines: Vec<_> = include_str!("tags.txt").lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(tags.0.len(), lines.len());
        assert!(tags.0.len() > 60 && tags.0.len() < 256);
        for (tag, line) in tags.0.iter().zip(lines) {
            let listed: Vec<_> = line.split_once('|').unwrap().1.split_whitespace().collect();
            assert_eq!(tag.companions.len(), listed.len(), "{line}");
            assert!(!tag.companions.is_empty(), "{line}");
        }
    }

    #[test]
    fn nobody_asks_about_a_new_tag_before_it_is_there() {
        let tags = Tags::load();
        let new = tags.0.iter().position(|tag| tag.season == "new").unwrap();
        assert_eq!(tags.weights(NEW_SINCE - 1, 6)[new], 0);
        assert!(tags.weights(NEW_SINCE, 6)[new] > 0);
        assert!(tags.weights(DAYS - 1, 10)[new] > 100);
    }
}
