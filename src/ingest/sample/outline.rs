//! Who asks, answers and comments when: everything about the sample but its texts, about 100 bytes a row.

use jiff::SignedDuration;

use super::dice::{Dice, Stream};
use super::tags::Tags;
use super::{DAYS, FIRST_DAY, START};

/// Ids start where nobody has been, so that no link leads to a real person's post.
const FIRST_POST: u64 = 90_000_000;
const FIRST_COMMENT: u64 = 160_000_000;

/// Questions in 1,000 days at scale 1, on the first and the last day: the site's volume declines.
const ASKED: [i64; 2] = [5_500, 3_300];
/// In percent of the mean, Monday to Sunday.
const WEEK: [i64; 7] = [112, 120, 120, 116, 108, 62, 62];
/// Weight of each hour (UTC).
const HOURS: [u32; 24] = [3, 3, 3, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 9, 9, 9, 8, 7, 6, 6, 5, 5, 4, 4];

const DAY: i64 = 86_400;
const END: i64 = START + DAYS * DAY;

/// People at scale 1.
const PEOPLE: u32 = 900;

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Question {
    pub id: u64,
    pub created: i64,
    pub author: u32,
    pub tags: Vec<u8>,
    pub answers: u32,
    pub accepted: Option<u64>,
    /// Whether an answer is accepted or has a positive score: the API's `is_answered`.
    pub answered: bool,
    pub last_activity: i64,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub id: u64,
    pub created: i64,
    pub author: u32,
    /// Position of its question.
    pub question: u32,
    pub score: i32,
    pub accepted: bool,
    pub edited: Option<i64>,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    pub id: u64,
    pub created: i64,
    pub author: u32,
    pub post: Post,
    /// Its post's question, for the topic.
    pub question: u32,
    pub reply_to: Option<u32>,
}

/// What a comment is about.
#[derive(Clone, Copy, Debug)]
pub enum Post {
    /// The question itself.
    Question,
    /// Position of an answer.
    Answer(u32),
}

/// All rows in creation order.
#[derive(Debug, Default)]
pub struct Outline {
    pub questions: Vec<Question>,
    pub answers: Vec<Answer>,
    pub comments: Vec<Comment>,
}

impl Outline {
    /// Returns the rows of the sample at `scale` times its normal size.
    pub fn new(seed: u64, scale: u32, tags: &Tags) -> Self {
        let mut outline = Self::default();
        let people = PEOPLE.saturating_mul(scale);
        let mut thousandths = 0;
        for day in 0..DAYS {
            let rate = ASKED[0] + (ASKED[1] - ASKED[0]) * day / (DAYS - 1);
            // The first day, 2025-05-01, is a Thursday.
            thousandths += rate * WEEK[((day + 3) % 7) as usize] / 100 * i64::from(scale);
            let count = thousandths / 1000;
            thousandths %= 1000;
            let month = FIRST_DAY.saturating_add(SignedDuration::from_hours(24 * day)).month();
            let weights = tags.weights(day, month);
            for created in times(seed, day, count) {
                let dice = Dice::new(seed, Stream::Thread, outline.questions.len() as u64);
                Thread { outline: &mut outline, tags, weights: &weights, people, day, dice }.draw(created);
            }
        }
        outline.number();
        outline
    }

    /// Gives ids in creation order, one sequence for questions and answers as on the site.
    fn number(&mut self) {
        let mut order: Vec<u32> = (0..self.answers.len() as u32).collect();
        order.sort_by_key(|position| self.answers[*position as usize].created);
        let mut moved = vec![0; order.len()];
        for (to, from) in order.iter().enumerate() {
            moved[*from as usize] = to as u32;
        }
        for comment in &mut self.comments {
            if let Post::Answer(position) = &mut comment.post {
                *position = moved[*position as usize];
            }
        }
        self.answers.sort_by_key(|answer| answer.created);
        self.comments.sort_by_key(|comment| comment.created);
        let mut next = FIRST_POST;
        let mut questions = self.questions.iter_mut().peekable();
        for answer in &mut self.answers {
            while let Some(question) = questions.next_if(|question| question.created <= answer.created) {
                question.id = next;
                next += 3;
            }
            answer.id = next;
            next += 3;
        }
        questions.zip(0..).for_each(|(question, rank)| question.id = next + 3 * rank);
        for answer in self.answers.iter().filter(|answer| answer.accepted) {
            self.questions[answer.question as usize].accepted = Some(answer.id);
        }
        self.comments.iter_mut().zip(0..).for_each(|(comment, rank)| comment.id = FIRST_COMMENT + 2 * rank);
    }
}

/// Returns when the questions of a day are asked, in order.
fn times(seed: u64, day: i64, count: i64) -> Vec<i64> {
    let mut dice = Dice::new(seed, Stream::Day, day as u64);
    let time = |_| START + day * DAY + dice.weighted(&HOURS) as i64 * 3600 + i64::from(dice.below(3600));
    let mut times: Vec<i64> = (0..count).map(time).collect();
    times.sort_unstable();
    times
}

/// A question with all that follows from it.
struct Thread<'a> {
    outline: &'a mut Outline,
    tags: &'a Tags,
    weights: &'a [u32],
    people: u32,
    day: i64,
    dice: Dice,
}

impl Thread<'_> {
    fn draw(&mut self, created: i64) {
        let position = self.outline.questions.len() as u32;
        let tags = self.tags.draw(self.weights, &mut self.dice);
        let author = self.dice.below(self.people);
        let question = Question { created, author, tags, last_activity: created, ..Question::default() };
        let (reach, slower) = question
            .tags
            .first()
            .and_then(|tag| self.tags.get(*tag))
            .map_or((60, 0), |tag| (tag.answered_percent(self.day), tag.slower(self.day)));
        self.outline.questions.push(question);
        self.comments(Post::Question, position, created, author);
        if self.dice.percent(reach) {
            // With it, first answers take about 20 minutes in the median; real ones take 24.
            for _ in 0..=self.dice.weighted(&[40, 28, 18, 9, 5]) {
                self.answer(position, 2_900 + slower);
            }
        }
    }

    fn answer(&mut self, question: u32, middle: i64) {
        let asked = &self.outline.questions[question as usize];
        let (asked_at, asker) = (asked.created, asked.author);
        // A few are faster than a minute, as in real data.
        let floor = if self.dice.percent(96) { 75 } else { 20 };
        let created = asked_at + floor + self.dice.seconds(middle, 760);
        let author = if self.dice.percent(7) { asker } else { self.contributor() };
        let score = SCORES[self.dice.weighted(&SCORE_WEIGHTS)] + i32::from(self.dice.percent(10));
        let edited = self.dice.percent(18).then(|| created + self.dice.seconds(3_300, 700)).filter(|at| *at < END);
        if created >= END {
            return;
        }
        let mut others = self.outline.answers.iter().rev().take_while(|other| other.question == question);
        let accepted = self.dice.percent(30) && !others.any(|other| other.accepted);
        let position = self.outline.answers.len() as u32;
        self.outline.answers.push(Answer { id: 0, created, author, question, score, accepted, edited });
        let asked = &mut self.outline.questions[question as usize];
        asked.answers += 1;
        asked.answered |= accepted || score > 0;
        asked.last_activity = asked.last_activity.max(edited.unwrap_or(created));
        self.comments(Post::Answer(position), question, created, author);
    }

    fn comments(&mut self, post: Post, question: u32, posted: i64, author: u32) {
        let mut created = posted;
        let mut previous = author;
        for _ in 0..self.dice.weighted(&[38, 26, 18, 10, 5, 3]) {
            created += 30 + self.dice.seconds(2_900, 600);
            let writer = if self.dice.percent(35) { author } else { self.contributor() };
            let reply_to = (self.dice.percent(25) && previous != writer).then_some(previous);
            if created < END {
                self.outline.comments.push(Comment { id: 0, created, author: writer, post, question, reply_to });
            }
            previous = writer;
        }
    }

    /// Returns someone who answers or comments: few people write most.
    fn contributor(&mut self) -> u32 {
        let some = self.dice.below(self.people) + 1;
        self.dice.below(some)
    }
}

const SCORES: [i32; 9] = [-6, -2, -1, 0, 1, 2, 4, 11, 57];
const SCORE_WEIGHTS: [u32; 9] = [1, 3, 6, 40, 25, 13, 8, 3, 1];
