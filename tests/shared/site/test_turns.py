"""Turns go round between visitors, however long the questions of one are."""

import pytest

from shared import limits
from shared.site.turns import Question, Turns, refuse

LONG = limits.LONG_QUESTION_BYTES + 1


def ask(visitor, count=1, **about):
    return [Question(visitor, **about) for _ in range(count)]


def answer_all(questions, seconds, places=1):
    """The order in which questions begin that have all come at once.

    Args:
        questions: In the order in which they came.
        seconds: How long the questions of each visitor take.
        places: How many are under way at once.
    """
    turns, waiting, under_way, begun, now = Turns(), list(questions), [], [], 0.0
    while waiting or under_way:
        while chosen := turns.choose(waiting, [each for _, each in under_way], places):
            waiting.remove(chosen)
            turns.start(chosen)
            begun.append(chosen)
            under_way.append((now + seconds[chosen.visitor], chosen))
        end = min(under_way, key=lambda pair: pair[0])
        under_way.remove(end)
        now, ended = end
        turns.end(ended, seconds[ended.visitor])
    return begun


def visitors(questions):
    return [question.visitor for question in questions]


def test_turns_go_round_between_visitors():
    questions = [*ask("first", 4), *ask("second", 2), *ask("third", 2)]
    begun = visitors(answer_all(questions, dict.fromkeys(("first", "second", "third"), 1)))
    assert begun == ["first", "second", "third"] * 2 + ["first"] * 2


def test_questions_of_one_page_are_answered_in_the_order_in_which_they_came():
    questions = ask("alone", 5, page="page")
    assert answer_all(questions, {"alone": 1}) == questions


def test_a_long_question_costs_more_turns_than_a_short_one():
    questions = [*ask("slow", 3, size=LONG), *ask("quick", 12)]
    begun = visitors(answer_all(questions, {"slow": 9.5, "quick": 1}))
    assert begun[:12] == ["slow", *["quick"] * 10, "slow"]


def test_seconds_count_and_not_only_sizes():
    questions = [*ask("slow", 3, size=10), *ask("quick", 12, size=1_000)]
    begun = visitors(answer_all(questions, {"slow": 10, "quick": 0.5}))
    assert begun.index("slow", 1) > 9


def test_nobody_saves_up_turns():
    turns = Turns()
    for _ in range(50):
        (asked,) = ask("busy")
        turns.start(asked)
        turns.end(asked, 1)
    (first,), (second,) = ask("busy"), ask("late")
    assert turns.choose([first, second], [], 1) is second
    turns.start(second)
    turns.end(second, 2)
    assert turns.choose([first, *ask("late")], [], 1) is first


def test_turns_of_a_visitor_go_round_between_pages():
    questions = [*ask("class", 3, page="a"), *ask("class", 1, page="b"), *ask("class", 1)]
    pages = [question.page for question in answer_all(questions, {"class": 1})]
    assert pages == ["a", "b", None, "a", "a"]


@pytest.mark.parametrize("places", [2, 3])
def test_the_last_place_is_for_visitors_who_have_nothing_under_way(places):
    turns, (mine, yours) = Turns(), (ask("greedy"), ask("other"))
    under_way = ask("greedy", places - 1)
    assert turns.choose(mine, under_way, places) is None
    assert turns.choose([*mine, *yours], under_way, places) is yours[0]
    assert turns.choose(mine, under_way[1:], places) is mine[0]


def test_the_last_of_three_places_is_for_short_questions():
    turns, under_way = Turns(), [*ask("first", size=LONG), *ask("second", size=LONG)]
    long, short = ask("third", size=LONG), ask("fourth")
    assert turns.choose([*long, *short], under_way, 3) is short[0]
    assert turns.choose(long, under_way, 3) is None
    assert turns.choose(long, under_way[1:], 3) is long[0]
    assert turns.choose(long, under_way[1:], 2) is long[0]  # all runs of a queue may be long


def test_a_queue_of_one_place_and_one_without_a_limit_answer_everybody():
    (asked,) = ask("alone", size=LONG)
    assert Turns().choose([asked], [], 1) is asked
    assert Turns().choose([asked], [asked] * 50, None) is asked
    assert Turns().choose([], [], 3) is None


def test_a_short_question_never_waits_for_the_longest_of_another():
    """Of one visitor who keeps the queue full; the other asks a short question now and then."""
    turns, under_way = Turns(), []
    for _ in range(100):
        greedy = ask("greedy", 4, size=LONG)
        while chosen := turns.choose(greedy, under_way, 3):
            greedy.remove(chosen)
            turns.start(chosen)
            under_way.append(chosen)
        (short,) = ask("other")
        assert turns.choose([*greedy, short], under_way, 3) is short
        turns.start(short)
        turns.end(short, 0.1)
        turns.end(under_way.pop(0), 20)


def test_visitors_who_have_waited_long_enough_are_forgotten():
    turns = Turns()
    for number in range(1_000):
        (asked,) = ask(f"visitor {number}", page="page", size=100)
        turns.start(asked)
        turns.end(asked, 1)
        if number % 2:
            (again,) = ask(f"visitor {number}", page="page", size=100)
            turns.start(again)
            turns.end(again, 1)
    assert len(turns._visitors.used) == len(turns._pages) < 1_000


@pytest.mark.parametrize(
    ("asked", "pending"),
    [
        (Question("v", "page"), ask("v", limits.WAITING_QUESTIONS_PER_PAGE, page="page")),
        (Question("v"), ask("v", limits.WAITING_QUESTIONS_PER_PAGE)),
        (
            Question("v", "new", size=LONG),
            ask("v", limits.WAITING_LONG_QUESTIONS_PER_VISITOR, page="p", size=LONG),
        ),
        *(
            (Question("v", "new", queue), ask("v", limits.WAITING_RUNS_PER_VISITOR, queue=queue))
            for queue in ("batch", "backtest", "training", "learning")
        ),
    ],
)
def test_more_than_a_few_of_a_visitor_do_not_wait(asked, pending, texts):
    texts(refuse(asked, pending))
    assert refuse(asked, pending[1:]) is None
    assert refuse(asked, ask("w", 200, page=asked.page, queue=asked.queue, size=LONG)) is None
