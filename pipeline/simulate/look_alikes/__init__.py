"""Look-alikes: innocent processes, each of which resembles one typology. Together they outnumber it.

They have the same traits, on as many accounts and days. Abuse shows several traits at once,
or shares each device or card with other accounts. A look-alike has a reason for one or two traits, and shares
everything with the same few people.
"""

from pipeline.simulate.campaigns.process import Process
from pipeline.simulate.look_alikes import access, goods, money

LOOK_ALIKES: tuple[Process, ...] = (*access.PROCESSES, *money.PROCESSES, *goods.PROCESSES)
RESEMBLES: dict[str, str] = {process.name: process.resembles for process in LOOK_ALIKES}
