"""Where a muscle's answer may begin, by the muscle's name.

Latencies of transcranial motor evoked potentials in adults (face 10-14 ms, deltoid and biceps
12-17, hand 20-26, quadriceps 22-28, tibialis anterior 28-38, abductor hallucis 38-48, from the
pulse that elicits the response), widened by a third for height, age, cooling and disease.
"""

from __future__ import annotations

from msgspec import Struct

from monitor.config import MuscleSection
from monitor.types import Channel


class OnsetWindow(Struct, frozen=True):
    """Onset may lie ``min_ms`` to ``max_ms`` after the *first* pulse."""

    min_ms: float
    max_ms: float


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Group -> (earliest, latest onset in ms after the pulse that elicits it, muscles by usual names,
#: short and in full, letters only).
MUSCLE_GROUPS: dict[str, tuple[float, float, frozenset[str]]] = {
    "face": (
        6.0,
        24.0,
        _names(
            "MENT MENTALIS OORIS ORBICULARISORIS OOC OOCULI ORBICULARISOCULI NAS NASALIS "
            "FRONTALIS MAS MASSETER TONGUE FACE"
        ),
    ),
    "neck and trunk": (
        6.0,
        40.0,
        _names(
            "TRAP TRAPEZIUS SCM STERNOCLEIDOMASTOID RECTUSABDOMINIS RA ABDOMINALS "
            "INTERCOSTAL EAS ANALSPHINCTER EXTERNALANALSPHINCTER EXTANALSPH"
        ),
    ),
    "arm": (
        8.0,
        30.0,
        _names("DELT DELTOID BIC BICEPS BB BICEPSBRACHII TRIC TRICEPS TB TRICEPSBRACHII"),
    ),
    "forearm": (
        10.0,
        36.0,
        _names(
            "ECR EXTENSORCARPIRADIALIS FCR FLEXORCARPIRADIALIS FCU FLEXORCARPIULNARIS "
            "EDC EXTENSORDIGITORUMCOMMUNIS BR BRACHIORADIALIS FOREARM"
        ),
    ),
    "hand": (
        13.0,
        40.0,
        _names(
            "APB ABDUCTORPOLLICISBREVIS ADM ABDUCTORDIGITIMINIMI FDI "
            "FIRSTDORSALINTEROSSEOUS THENAR HYPOTHENAR HAND"
        ),
    ),
    "thigh": (
        14.0,
        45.0,
        _names(
            "QUAD QUADRICEPS VL VASTUSLATERALIS VM VASTUSMEDIALIS RF RECTUSFEMORIS "
            "ILIOPSOAS ADDUCTOR ADDUCTORLONGUS HAM HAMSTRINGS BF BICEPSFEMORIS"
        ),
    ),
    "lower leg": (
        20.0,
        56.0,
        _names(
            "TA TIBIALISANTERIOR TIBANT GC GN GASTROC GASTROCNEMIUS MG LG SOL SOLEUS "
            "PL PERONEUSLONGUS EHL EXTENSORHALLUCISLONGUS"
        ),
    ),
    "foot": (
        26.0,
        70.0,
        _names(
            "AH ABDUCTORHALLUCIS ABDHALLUCIS FHB FLEXORHALLUCISBREVIS EDB "
            "EXTENSORDIGITORUMBREVIS FOOT"
        ),
    ),
}

#: A muscle that the table does not know: anything from the face to the foot.
UNKNOWN_WINDOW = OnsetWindow(6.0, 70.0)


def any_window(train_ms: float = 0.0) -> OnsetWindow:
    """Onset window of a muscle of which nothing is known, from the first pulse.

    It counts from the train's last pulse. Of a muscle that might answer within the train every lost
    response would have to be called hidden, and none could be called lost; what does show there is
    rejected as masked all the same. A muscle that does answer early is to be named.
    """
    return OnsetWindow(UNKNOWN_WINDOW.min_ms + train_ms, UNKNOWN_WINDOW.max_ms + train_ms)


def _after_train(window: OnsetWindow, train_ms: float) -> OnsetWindow:
    """A window for one pulse, for a train.

    Under anaesthesia one pulse elicits nothing: the motor neurons reach threshold in the second
    half of the train or with its last pulse, so a window moves by half of it at the low end, by
    all at the high.
    """
    return OnsetWindow(window.min_ms + train_ms / 2, window.max_ms + train_ms)


def onset_window(
    channel: Channel, setting: MuscleSection | None, train_ms: float = 0.0
) -> OnsetWindow:
    """Onset window of a channel, from the first pulse.

    Args:
        channel: the muscle's name decides, unless the configuration does.
        setting: the channel's section of the case file, if it has one; its figures win, and count
            from the first pulse as they stand.
        train_ms: time from the first to the last pulse; it moves what the table says.
    """
    # The whole name or nothing: a window that is too narrow loses the muscle ("abductor hallucis"
    # is no abdominal muscle), one that is too wide costs little.
    name = "".join(letter for letter in channel.muscle.upper() if letter.isalpha())
    moved = any_window(train_ms)
    for earliest, latest, muscles in MUSCLE_GROUPS.values():
        if name in muscles:
            moved = _after_train(OnsetWindow(earliest, latest), train_ms)
            break
    low, high = moved.min_ms, moved.max_ms
    if setting is not None:
        low = setting.min_onset_ms if setting.min_onset_ms is not None else low
        high = setting.max_onset_ms if setting.max_onset_ms is not None else high
    return OnsetWindow(low, high)
