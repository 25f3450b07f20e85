"""The visits of one process on one day: ordinary visits, changed by traits."""

import numpy as np

from pipeline.simulate.campaigns.adaptive import Avoidance
from pipeline.simulate.campaigns.process import Acts, Process
from pipeline.simulate.campaigns.traits import TRAITS, Target, draw_traits
from pipeline.simulate.visits.ordinary import Today, make_visits
from pipeline.simulate.visits.sessions import Sessions
from pipeline.simulate.world.codes import Array, generator
from pipeline.simulate.world.people import People, is_phone


def act(process: Process, acts: Acts, today: Today, intensity: float, avoidance: Avoidance) -> Sessions:
    """Ordinary visits of the process's intent, with traits. Only adaptive variants avoid traits."""
    rng = generator(today.seed, today.day, f"act {process.name}")
    sessions = make_visits(acts.user, today, rng, process.intent)
    sessions.about = np.maximum(-1, today.people.purchases[acts.user] - 1 - acts.nth)  # another one each time
    for number, variant in enumerate(process.variants):
        of_variant = np.flatnonzero(acts.variant == number)
        if variant.order:
            sessions.order[of_variant] = variant.order
        start = sessions.start[of_variant]
        avoided = avoidance.chances(start) if variant.adaptive else {}
        has_trait = draw_traits(variant, len(of_variant), intensity, avoided, rng)
        for trait in TRAITS:
            if trait in has_trait:
                rows = of_variant[has_trait[trait]]
                TRAITS[trait](Target(sessions, rows, acts, variant, today, rng))
                _keep(process, trait, sessions, rows, today.people)
        if variant.adaptive:
            avoidance.wait_for_list(sessions, of_variant, start)
    sessions.actor = acts.campaign
    return sessions


def _keep(process: Process, trait: str, sessions: Sessions, rows: Array, people: People) -> None:
    """A look-alike goes on using its new phone, home or card."""
    if trait not in process.keeps:
        return
    if trait == "device":
        _keep_devices(sessions.user[rows], sessions.device[rows], people)
        return
    habit = {"network": "home"}.get(trait, trait)
    getattr(people, habit)[sessions.user[rows]] = getattr(sessions, trait)[rows]


def _keep_devices(users: Array, devices: Array, people: People) -> None:
    phone = is_phone(devices)
    people.phone[users[phone]], people.laptop[users[~phone]] = devices[phone], devices[~phone]


def cover(process: Process, acts: Acts, today: Today) -> Sessions:
    """Ordinary visits of the same accounts on the same day."""
    rng = generator(today.seed, today.day, f"cover {process.name}")
    return make_visits(acts.user[rng.random(len(acts)) < process.cover], today, rng, "usual")
