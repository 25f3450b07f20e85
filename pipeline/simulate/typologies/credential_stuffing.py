"""Credential stuffing: a program tries leaked passwords and keeps the accounts that open.

Actors     one operator per leak
Resources  a pool of emulated devices and exit networks, each used for several accounts
Timing     a wave over one to three days, within the same hour; seconds per account
Intent     to sell accounts that work: it looks at what is stored and buys nothing

One account shows a few logins and a short look.
wave          shares devices between accounts
low_and_slow  gives each account a network of its own and a person's pace; shared devices remain
adaptive      avoids what lists named
"""

from pipeline.simulate.campaigns.process import BURNT_AFTER, Process, Reporting, Variant

_TRAITS = ("logins", "device", "network", "fast", "together", "night")

PROCESS = Process(
    name="credential_stuffing",
    intent="login",
    variants=(
        Variant(
            "wave",
            0.45,
            always=("signed_in",),
            drawn=_TRAITS,
            least=3,
            most=5,
            accounts=(6, 14),
            every=(1, 2),
            shares=("device", "network"),
            lasts=BURNT_AFTER,
            group=4,
        ),
        Variant(
            "low_and_slow",
            0.3,
            always=("signed_in",),
            drawn=("device", "network", "logins", "slow", "night"),
            least=3,
            most=5,
            accounts=(4, 9),
            acts=(1, 2),
            every=(2, 5),
            shares=("device",),
            lasts=BURNT_AFTER,
            group=3,
        ),
        Variant(
            "adaptive",
            0.25,
            always=("signed_in",),
            drawn=_TRAITS,
            least=4,
            most=5,
            accounts=(5, 10),
            every=(1, 2),
            shares=("device",),
            lasts=BURNT_AFTER,
            group=3,
            adaptive=True,
        ),
    ),
    report=Reporting(0.45, (("complaint", 0.35, 4), ("takedown", 0.45, 2.5), ("review_desk", 0.2, 2))),
)
