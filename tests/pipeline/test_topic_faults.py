"""Topics that exist, held against what is wanted of them: each difference in exact words."""

import pytest

from pipeline.log import LogError, NewTopic, TopicFound
from pipeline.topic_faults import Difference, differences, refuse

WANTED = [
    NewTopic("new", 6, {"cleanup.policy": "compact"}),
    NewTopic("requests", 6, {"cleanup.policy": "delete", "retention.ms": "86400000"}),
    NewTopic("replies", 2, {"cleanup.policy": "delete"}),
]


def test_every_difference_of_every_topic_that_is_there_is_found() -> None:
    found = {
        "requests": TopicFound(12, 1, {"cleanup.policy": "delete"}),
        "replies": TopicFound(2, 3, {"cleanup.policy": "compact", "segment.ms": "1"}),
    }
    assert differences(WANTED, found, 3) == [
        Difference("requests", "partitions", "12", "6"),
        Difference("requests", "replication", "1", "3"),
        Difference("requests", "retention.ms", "nothing", "86400000"),
        Difference("replies", "cleanup.policy", "compact", "delete"),
    ]


def test_what_is_as_wanted_is_not_refused() -> None:
    assert differences(WANTED[2:], {"replies": TopicFound(2, 1, {"cleanup.policy": "delete"})}, 1) == []
    refuse([])


def test_what_a_setting_changes_is_told_with_the_command_that_changes_it() -> None:
    unlike = [Difference("replies", "cleanup.policy", "compact", "delete"), Difference("a", "segment.ms", "1", "2")]
    with pytest.raises(LogError) as told:
        refuse(unlike)
    assert str(told.value) == (
        "topic replies: cleanup.policy: found compact, wanted delete\n"
        "topic a: segment.ms: found 1, wanted 2\n"
        "no topic was created: `denbun topics create --alter` sets what a setting can change"
    )


def test_what_no_setting_changes_is_told_with_what_to_do_instead() -> None:
    unlike = [Difference("a", "partitions", "12", "6"), Difference("b", "replication", "1", "3")]
    with pytest.raises(LogError) as told:
        refuse(unlike)
    assert str(told.value) == (
        "topic a: partitions: found 12, wanted 6: a change of partitions would part transactions from their state: set "
        "kafka.partitions (of replies: ingress.slots) back; if somebody altered the topic, call support, for under "
        "another topic prefix what is open would be forgotten\n"
        "topic b: replication: found 1, wanted 3: correct kafka.replication, or give the topic so many copies "
        "(kafka-reassign-partitions)\n"
        "no topic was created"
    )
