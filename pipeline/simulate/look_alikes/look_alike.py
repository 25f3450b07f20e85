"""One notation for look-alikes. Traits are names with spaces between; each visit has `count` of the traits `drawn`."""

from pipeline.simulate.campaigns.process import Process, Thing, Variant, Who
from pipeline.simulate.visits.ordinary import Intent
from pipeline.simulate.visits.sessions import FUNNEL

Span = tuple[int, int]


def look_alike(
    typology: str,
    name: str,
    intent: Intent,
    *,
    always: str = "",
    drawn: str,
    count: Span = (0, 3),
    accounts: Span = (1, 3),
    acts: Span = (1, 3),
    every: Span = (1, 3),
    shares: tuple[Thing, ...] = (),
    group: int = 1,
    order: int = FUNNEL,
    who: Who = "any",
    on_flash_days: bool = False,
    keeps: tuple[Thing, ...] = (),
    share: float = 1.0,
) -> Process:
    """A process with one variant that resembles `typology`."""
    variant = Variant(
        "",
        always=tuple(always.split()),
        drawn=tuple(drawn.split()),
        least=count[0],
        most=count[1],
        accounts=accounts,
        acts=acts,
        every=every,
        shares=shares,
        group=group,
        order=order,
        who=who,
        on_flash_days=on_flash_days,
    )
    return Process(name, intent, (variant,), share=share, resembles=typology, keeps=keeps)
