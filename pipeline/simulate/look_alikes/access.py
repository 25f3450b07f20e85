"""Look-alikes of stolen accounts: other devices, other places, passwords."""

from pipeline.simulate.look_alikes.look_alike import look_alike
from pipeline.simulate.visits.sessions import ACT_FIRST

PROCESSES = (
    look_alike(
        "account_takeover",
        "new_phone",
        "buy",
        always="device",
        drawn="network night bare resold expensive",
        acts=(1, 2),
        shares=("device",),
        group=2,
        keeps=("device",),
    ),
    look_alike(
        "account_takeover",
        "moving_house",
        "buy",
        always="address network",
        drawn="expensive bare resold night",
        acts=(1, 2),
        keeps=("address", "network"),
    ),
    look_alike(
        "account_takeover",
        "gift_giver",
        "buy",
        always="address",
        drawn="expensive bare resold gift_cards night",
        count=(0, 4),
        acts=(1, 2),
        shares=("address",),
        group=2,
        order=ACT_FIRST,
    ),
    look_alike(
        "account_takeover", "traveller", "buy", always="network", drawn="night bare expensive device fast", acts=(1, 2)
    ),
    look_alike(
        "credential_stuffing",
        "forgotten_password",
        "login",
        always="logins",
        drawn="network night bare fast",
        acts=(1, 2),
    ),
    look_alike(
        "credential_stuffing",
        "shared_office_device",
        "login",
        always="signed_in device",
        drawn="network bare together even",
        accounts=(4, 9),
        acts=(1, 2),
        every=(1, 4),
        shares=("device", "network"),
        group=4,
    ),
    look_alike(
        "credential_stuffing",
        "quick_check",
        "login",
        always="signed_in",
        drawn="bare fast even network device night",
        count=(1, 4),
        acts=(1, 2),
        shares=("device",),
        group=2,
    ),
)
