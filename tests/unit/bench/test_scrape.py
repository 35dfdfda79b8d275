from pelton.bench import scrape

PAGE = """\
# HELP pelton_queue_depth waiting
# TYPE pelton_queue_depth gauge
pelton_queue_depth{entity="a"} 3
pelton_queue_depth{entity="b"} 4.0
# TYPE pelton_workers gauge
pelton_workers{state="serving"} 2
pelton_workers{state="failed"} 1
pelton_workers_extra 9
other 1
"""


def test_what_is_of_interest_is_read_and_added_up() -> None:
    assert scrape.read(PAGE) == {"queue": 7.0, "workers": 2.0}


def test_a_page_without_it_says_nothing() -> None:
    assert scrape.read("hello 1\n") == {}
