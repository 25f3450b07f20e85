"""Innocent processes that resemble abuse. Each resembles one typology, and together they outnumber it.

They are made of the same marks, on as many accounts and days. Where abuse shows several marks at once, or crosses what
it shares, innocence has a reason for one or two of them, and shares all with the same few people.
"""

from pipeline.simulate.campaigns.process import Process
from pipeline.simulate.look_alikes import access, goods, money

LOOK_ALIKES: tuple[Process, ...] = (*access.PROCESSES, *money.PROCESSES, *goods.PROCESSES)
RESEMBLES: dict[str, str] = {process.name: process.resembles for process in LOOK_ALIKES}
