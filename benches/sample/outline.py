"""Who asks, answers and comments when: everything about the sample but its texts."""

import datetime
from dataclasses import dataclass

from chance import DAY, DAYS, THREAD, Dice, Tag, draw_tags, on_day, read_tags

FIRST_DAY = datetime.date(2025, 5, 1)
LAST_DAY = FIRST_DAY + datetime.timedelta(days=DAYS - 1)
SECONDS = 86_400
START = 1_746_057_600  # Midnight (UTC) of the first day.
END = START + DAYS * SECONDS

# Ids start where nobody has been, so that no link leads to a real person's post.
FIRST_POST = 90_000_000
FIRST_COMMENT = 160_000_000

ASKED = (5_500, 3_300)  # Questions in 1,000 days at scale 1, on the first and the last day: the site's volume declines.
WEEK = (112, 120, 120, 116, 108, 62, 62)  # In percent of the mean, Monday to Sunday.
HOURS = (3, 3, 3, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 9, 9, 9, 8, 7, 6, 6, 5, 5, 4, 4)  # Weight of each hour (UTC).
PEOPLE = 900  # At scale 1.
SCORES = (-6, -2, -1, 0, 1, 2, 4, 11, 57)
SCORE_WEIGHTS = (1, 3, 6, 40, 25, 13, 8, 3, 1)


@dataclass(slots=True)
class Question:
    created: int
    author: int
    tags: list[Tag]
    last_activity: int
    id: int = 0
    answers: int = 0
    accepted: "Answer | None" = None
    answered: bool = False  # An answer is accepted or has a positive score.


@dataclass(slots=True)
class Answer:
    created: int
    author: int
    question: Question
    score: int
    accepted: bool
    edited: int | None
    id: int = 0


@dataclass(slots=True)
class Comment:
    created: int
    author: int
    post: Question | Answer
    question: Question  # Of its post, for the topic.
    reply_to: int | None
    id: int = 0


class Outline:
    """All rows at `scale` times the normal size, in creation order."""

    def __init__(self, scale: int) -> None:
        self.questions: list[Question] = []
        self.answers: list[Answer] = []
        self.comments: list[Comment] = []
        tags = read_tags()
        thousandths = 0
        for day in range(DAYS):
            # The first day is a Thursday.
            thousandths += on_day(ASKED, day) * WEEK[(day + 3) % 7] // 100 * scale
            count, thousandths = divmod(thousandths, 1000)
            month = (FIRST_DAY + datetime.timedelta(days=day)).month
            weights = tuple(tag.weight(day, month) for tag in tags)
            for created in times(day, count):
                dice = Dice(THREAD, len(self.questions))
                Thread(self, dice, PEOPLE * scale).draw(day, created, tags, weights)
        self.number()

    def number(self) -> None:
        """Gives ids in creation order, one sequence for questions and answers as on the site."""
        self.answers.sort(key=lambda answer: answer.created)
        self.comments.sort(key=lambda comment: comment.created)
        posts = sorted([*self.questions, *self.answers], key=lambda post: post.created)
        for rank, post in enumerate(posts):
            post.id = FIRST_POST + 3 * rank
        for rank, comment in enumerate(self.comments):
            comment.id = FIRST_COMMENT + 2 * rank


def times(day: int, count: int) -> list[int]:
    """When the questions of a day are asked, in order."""
    dice = Dice(DAY, day)
    return sorted(START + day * SECONDS + dice.weighted(HOURS) * 3600 + dice.below(3600) for _ in range(count))


class Thread:
    """A question with all that follows from it."""

    def __init__(self, outline: Outline, dice: Dice, people: int) -> None:
        self.outline, self.dice, self.people = outline, dice, people

    def draw(self, day: int, created: int, tags: list[Tag], weights: tuple[int, ...]) -> None:
        drawn = draw_tags(tags, weights, self.dice)
        question = Question(created, self.dice.below(self.people), drawn, created)
        self.outline.questions.append(question)
        self.comment(question, question)
        if self.dice.percent(drawn[0].answered_percent(day)):
            # With it, first answers take about 20 minutes in the median; real ones take 24.
            for _ in range(self.dice.weighted((40, 28, 18, 9, 5)) + 1):
                self.answer(question, 2_900 + drawn[0].slower(day))

    def answer(self, question: Question, middle: int) -> None:
        dice = self.dice
        # A few are faster than a minute, as in real data.
        floor = 75 if dice.percent(96) else 20
        created = question.created + floor + dice.seconds(middle, 760)
        author = question.author if dice.percent(7) else self.contributor()
        score = SCORES[dice.weighted(SCORE_WEIGHTS)] + dice.percent(10)
        edited = created + dice.seconds(3_300, 700) if dice.percent(18) else END
        if created >= END:
            return
        accepted = dice.percent(30) and question.accepted is None
        answer = Answer(created, author, question, score, accepted, edited if edited < END else None)
        self.outline.answers.append(answer)
        question.answers += 1
        question.answered |= accepted or score > 0
        question.accepted = answer if accepted else question.accepted
        question.last_activity = max(question.last_activity, answer.edited or created)
        self.comment(answer, question)

    def comment(self, post: Question | Answer, question: Question) -> None:
        dice, created, previous = self.dice, post.created, post.author
        for _ in range(dice.weighted((38, 26, 18, 10, 5, 3))):
            created += 30 + dice.seconds(2_900, 600)
            writer = post.author if dice.percent(35) else self.contributor()
            reply_to = previous if dice.percent(25) and previous != writer else None
            if created < END:
                self.outline.comments.append(Comment(created, writer, post, question, reply_to))
            previous = writer

    def contributor(self) -> int:
        """Someone who answers or comments: few people write most."""
        return self.dice.below(self.dice.below(self.people) + 1)
