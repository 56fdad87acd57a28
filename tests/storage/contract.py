"""The contract of the `Store` port: every implementation passes these, unchanged.

A subclass gives the fixture `store`. Each test says what a person would notice if it failed.
"""

from tests.storage.claims_contract import ClaimsContract
from tests.storage.leaving_contract import LeavingContract
from tests.storage.telling_contract import TellingContract
from tests.storage.timers_contract import ForgettingContract, TimersContract
from tests.storage.views_contract import ViewsContract


class StoreContract(
    ClaimsContract, LeavingContract, TellingContract, TimersContract, ForgettingContract, ViewsContract
):
    """What every store does."""
