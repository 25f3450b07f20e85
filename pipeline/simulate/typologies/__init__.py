"""The ten typologies, one file each: actors, resources, timing, intent and variants."""

from pipeline.simulate.campaigns.process import Process
from pipeline.simulate.typologies import (
    account_takeover,
    bots,
    brushing,
    card_testing,
    credential_stuffing,
    fake_reviews,
    promo_farming,
    refund_abuse,
    sleepers,
    stolen_card,
)

TYPOLOGIES: dict[str, Process] = {
    module.PROCESS.name: module.PROCESS
    for module in (
        account_takeover,
        credential_stuffing,
        card_testing,
        stolen_card,
        promo_farming,
        fake_reviews,
        brushing,
        refund_abuse,
        bots,
        sleepers,
    )
}
