//! Chance that falls the same way on every machine: a seeded ChaCha8, and whole numbers only.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};

/// What a stream of chance decides about. Each thing has its own, so that one more draw here moves nothing there.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    /// When the questions of a day are asked.
    Day = 1,
    /// A question's tags, answers and comments: who, when, how good.
    Thread,
    /// What a question says.
    Question,
    /// What an answer says.
    Answer,
    /// What a comment says.
    Comment,
    /// A user.
    Person,
}

/// A source of chance.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Returns the dice for one thing: the same seed, stream and index fall the same way.
    pub fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(((stream as u64) << 48) | index);
        Self(rng)
    }

    /// Returns a number below `end`, or 0 when `end` is 0.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.0.next_u32()) * u64::from(end)) >> 32) as u32
    }

    /// Returns whether something happens that happens `percent` times in 100.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    /// Returns whether something happens that happens `times` times in 1,000.
    pub fn permille(&mut self, times: u32) -> bool {
        self.below(1000) < times
    }

    /// Returns one of `choices`, or `None` when there are none.
    pub fn choose<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(u32::try_from(choices.len()).unwrap_or(u32::MAX)) as usize)
    }

    /// Returns the position in `weights` on which a throw falls; heavier ones more often.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut throw = self.below(weights.iter().sum());
        for (position, weight) in weights.iter().enumerate() {
            match throw.checked_sub(*weight) {
                Some(rest) => throw = rest,
                None => return position,
            }
        }
        0
    }

    /// Returns seconds that are log-normal, as answer times are: half are below 2^(`middle` / 256), and a `spread`
    /// of 256 means a factor of two either way for a third of them each.
    pub fn seconds(&mut self, middle: i64, spread: i64) -> i64 {
        // Twelve even throws add up to a bell of mean 6 and deviation 1; in 256ths.
        let bell: i64 = (0..12).map(|_| i64::from(self.below(256))).sum::<i64>() - 12 * 128 + 6;
        let exponent = (middle + spread * bell / 256).clamp(0, 24 * 256);
        let (whole, part) = (exponent / 256, exponent % 256);
        // Between two powers of two a straight line is near enough, and exact everywhere.
        (1_i64 << whole) * (256 + part) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dice_fall_the_same_way_everywhere() {
        let mut dice = Dice::new(7, Stream::Thread, 3);
        let thrown: Vec<u32> = (0..6).map(|_| dice.below(1000)).collect();
        // Worked out with another implementation of ChaCha8: key 7, stream 2 << 48 | 3.
        assert_eq!(thrown, [213, 156, 468, 871, 873, 567]);
        let mut other = Dice::new(7, Stream::Thread, 4);
        assert_ne!(thrown, (0..6).map(|_| other.below(1000)).collect::<Vec<_>>());
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.choose::<u8>(&[]), None);
    }

    #[test]
    fn answer_times_have_the_median_asked_for() {
        let mut dice = Dice::new(1, Stream::Thread, 0);
        let mut seconds: Vec<i64> = (0..2001).map(|_| dice.seconds(10 * 256, 512)).collect();
        seconds.sort_unstable();
        assert!((900..1150).contains(&seconds[1000]), "{}", seconds[1000]);
        // One deviation up and down: two powers of two.
        assert!((220..300).contains(&seconds[317]), "{}", seconds[317]);
        assert!((3600..4600).contains(&seconds[1683]), "{}", seconds[1683]);
    }

    #[test]
    fn weights_weigh() {
        let mut dice = Dice::new(1, Stream::Day, 0);
        let mut hits = [0; 3];
        (0..1000).for_each(|_| hits[dice.weighted(&[1, 0, 3])] += 1);
        assert!((200..300).contains(&hits[0]) && hits[1] == 0, "{hits:?}");
    }
}
